"""The answer to a shell that asks what may stand at the cursor: argcomplete's protocol, see `exporter completion`."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping
from importlib import import_module

from exporter.commands.recipe_completion import RECIPE, space_words, words_after

# Options of recipes' commands, given in full.
FINISHED = re.compile(r"\s--(?:json|(?:build|dist|store|workers|on|trials|minutes|seed)[ =]\S+)(?=\s)")


def answer(commands: Mapping[str, str], take_words: tuple[str, ...]) -> None:
    """Write what may stand at the cursor, and end the process; `take_words`: those of `commands` with recipe=FILE."""
    import argcomplete

    line = os.environ["COMP_LINE"][: int(os.environ["COMP_POINT"])]
    before = line.split()[1:] if line[-1:].isspace() else line.split()[1:-1]
    os.environ["COMP_LINE"] = line = FINISHED.sub("", line)  # argparse takes no words behind an option; we do
    os.environ["COMP_POINT"] = str(len(line))
    named = next((word for word in before if word in commands), "export")
    parser = argparse.ArgumentParser(prog="exporter", add_help=bool(before))
    if named in before:
        parser.add_argument("command", choices=[named])
    import_module(f"exporter.commands.{named}").add_arguments(parser)
    words = next((action for action in parser._actions if action.dest == "words"), None)
    if words is not None and named in take_words:
        kind = "train" if named in ("prepare", "train") else "recipe"
        completer = space_words if named == "search" else words_after
        words.completer = lambda prefix, **_: _first_words(commands, before) | completer(line, prefix, kind)  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser, always_complete_options="long", validator=_begins)


def _first_words(commands: Mapping[str, str], before: list[str]) -> dict[str, str]:
    return {} if before else {**commands, RECIPE: "the recipe's file"}


def _begins(word: str, prefix: str) -> bool:
    return word.startswith(prefix)
