"""Markdown that GitHub and mkdocs read alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from inspect import cleandoc

from exporter.recipes.options import Option

MADE = "<!-- Made of the code by `python -m tools.reference`: edit the docstrings there, not this page. -->"
NAME = re.compile(
    r"[\w./]*<\w+>[\w./<>-]*"  # dist/<name>-<version> would be HTML
    r"|(?<![\w`/.:$])(?:\w+_\w+|hf://[\w@/]+|[\w/]+\.(?:py|md|json|yaml|tflite|onnx|safetensors))(?![\w`])"
)

UNBROKEN = re.compile(r"(?<=[≥≤<>]) |(?<=\d) (?=\d{3})")  # a sign and its number, and groups of digits, are one word


def page(title: str, introduction: str, parts: Iterable[str]) -> str:
    """A whole page; `parts` are its sections."""
    return "\n\n".join([MADE, f"# {title}", cleandoc(introduction), *parts]) + "\n"


def section(title: str, *paragraphs: str, level: int = 2) -> str:
    """A heading and what stands below it; an empty paragraph is none."""
    return "\n\n".join([f"{'#' * level} {title}", *filter(None, paragraphs)])


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """One line to a row, whatever its cells hold; nothing where there is no row."""
    lines = [f"| {' | '.join(map(_cell, row))} |" for row in rows]
    return "\n".join([f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}", *lines]) if lines else ""


def options_table(options: Iterable[Option], before: str = "") -> str:
    """One row to an option, `before` in front of its key."""
    rows = [(code(before + option.key), _values(option), _sentences(option)) for option in options]
    return table(("key", "values, and default", "what it is, and when to change it"), rows)


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def prose(text: str) -> str:
    """Docstring text: names of code that stand in it plain are set as such."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(piece if piece.startswith("`") else NAME.sub(lambda name: f"`{name[0]}`", piece) for piece in pieces)


def _values(option: Option) -> str:
    default = option.default_text
    said = f"*{default}*" if option.required else f"default {code(default)}" if default else ""
    values = UNBROKEN.sub("\N{NO-BREAK SPACE}", ", ".join(filter(None, (option.values, option.unit))))
    return "; ".join(filter(None, (values, said)))


def _sentences(option: Option) -> str:
    when = f" *{prose(option.when)}.*" if option.when else ""
    return f"{prose(option.what)}.{when}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")
