"""commands.md: every command with its words and options, from the parsers that read them."""

from __future__ import annotations

import argparse
from importlib import import_module

from exporter.cli import COMMANDS, TAKE_WORDS
from tools.reference.markdown import code, page, prose, section, table

INTRODUCTION = """
`exporter` and a command; the word `export` may be left out. Options and words come in any order. `--help` behind a
command says the same in a terminal; what each ends with is explained in [Exit codes](exit_codes.md).
"""
WORDS = "`recipe=FILE`, and any key of the recipe as `KEY=VALUE`: see [Recipe](recipe.md) and [Stages](stages.md)"


def commands_page() -> str:
    rows = [(f"[{name}](#{name})", _line(name)) for name in COMMANDS]
    return page("Commands", INTRODUCTION, [table(("command", "what it does"), rows), *map(_command, COMMANDS)])


def _command(name: str) -> str:
    parser = argparse.ArgumentParser(prog=f"exporter {name}", add_help=False)
    import_module(f"exporter.commands.{name}").add_arguments(parser)
    return section(name, f"{_line(name)}.", table(("word or option", "values", "default", "what it is"), _rows(parser)))


def _rows(parser: argparse.ArgumentParser) -> list[tuple[str, str, str, str]]:
    of_recipes = parser.prog.split()[-1] in TAKE_WORDS
    return [_row(action, of_recipes) for action in parser._actions if action.help != argparse.SUPPRESS]


def _row(action: argparse.Action, of_recipes: bool) -> tuple[str, str, str, str]:
    if action.dest == "words" and of_recipes:
        return code("key=value"), "", "", WORDS
    name = ", ".join(action.option_strings) or str(action.metavar or action.dest)
    choices = [str(choice) for choice in action.choices or ()]
    values = ", ".join(code(choice) for choice in choices) if choices else _metavar(action)
    text = " ".join(((action.help or "") % (vars(action) | {"choices": ", ".join(choices)})).split())
    needed = "*has to be given*" if action.required and action.nargs not in ("?", "*") else _default(action)
    return code(name), values, needed, prose(text)


def _metavar(action: argparse.Action) -> str:
    if not action.option_strings or action.nargs == 0:
        return ""
    shown = action.metavar or action.dest.upper()
    return " ".join(shown) if isinstance(shown, tuple) else str(shown)


def _default(action: argparse.Action) -> str:
    of_environment = action.dest == "store"
    empty = of_environment or action.default in (None, False, "", [], (), argparse.SUPPRESS)
    return "" if empty or action.nargs == 0 else code(str(action.default))


def _line(name: str) -> str:
    """The command's line of `exporter --help`."""
    text = prose(COMMANDS[name])
    return text[0].upper() + text[1:]
