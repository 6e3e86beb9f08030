"""The key=value words of a command line, and printing for people or for programs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from shutil import get_terminal_size
from textwrap import wrap

from exporter.cache.shelf import STORE
from exporter.console import folded, open_console, width_of
from exporter.errors import RecipeError
from exporter.files.plain_json import json_text
from exporter.suggestions import nearest, shortened

LONGEST_LINE = 100  # that is still read with ease


def add_recipe_words(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="key=value", help="recipe=FILE and overrides, in any order")


def add_build(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--build", type=Path, default=Path("build"), help="where stages are kept for the next run")


def add_store(parser: argparse.ArgumentParser) -> None:
    what = "finished stages that runs and machines share: a folder, or an address such as s3://bucket/path; or $"
    parser.add_argument("--store", default=os.environ.get(STORE) or None, metavar="DIR|URL", help=what + STORE)


def add_arch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--arch",
        metavar="PACKAGE.MODULE:CLASS",
        help="your own network class that a network file may ask for; a file alone imports nothing",
    )


def add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def completes(action: argparse.Action, completer: Callable[..., Iterable[str]]) -> None:
    """What a shell offers in place of `action` is what `completer(prefix=…)` gives: words, or words with their help."""
    action.completer = completer  # type: ignore[attr-defined]  # argcomplete's own way


def split_words(words: Iterable[str]) -> tuple[str, dict[str, str]]:
    """The recipe's name and the overrides. Raises RecipeError for a word that is no key=value, or no recipe."""
    pairs: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            meant = f"recipe={word}" if word.endswith((".yaml", ".yml")) else "exporter recipe=mobile_deblur.yaml"
            raise RecipeError(f"{shortened(word)!r} is not key=value", hint=f"for example: {meant}")
        if pairs.setdefault(key, value) != value:
            both = f"{shortened(pairs[key])!r} and {shortened(value)!r}"
            raise RecipeError(f"{shortened(key)} is given twice, as {both}: keep one of them")
    if "recipe" not in pairs:
        close = nearest("recipe", pairs)
        hint = f"did you mean recipe={pairs[close]}?" if close else "exporter recipe=mobile_deblur.yaml"
        raise RecipeError("no recipe was named", hint=hint)
    return pairs.pop("recipe"), pairs


def show(text: str = "") -> None:
    """One line for a person: whole words on a terminal, and a line that stays one for a program."""
    sys.stdout.write(folded(text, width_of(sys.stdout)) + "\n")


def show_command(text: str) -> None:
    """A line to be copied, whatever its length."""
    sys.stdout.write(text + "\n")


def show_wrapped(text: str, indent: int = 0, further: int = 0) -> None:
    """`text` in lines that fit the terminal, `indent` from its edge, all but the first `further` in; "" is no line."""
    width = min(get_terminal_size().columns, LONGEST_LINE)
    before = " " * indent, " " * (indent + further)
    for line in wrap(text, width, initial_indent=before[0], subsequent_indent=before[1], break_on_hyphens=False):
        show(line)


def show_json(value: object) -> None:
    """JSON for a program; a number that JSON cannot say is "inf", "-inf" or "nan", as in report.json."""
    sys.stdout.write(json_text(value) + "\n")


def show_table(title: str, columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """A table that fits the terminal, plain when the output is none."""
    from exporter.commands.table import print_table

    print_table(open_console(sys.stdout, None if sys.stdout.isatty() else 140), title, columns, rows)
