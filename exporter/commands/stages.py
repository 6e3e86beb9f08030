"""`exporter stages [NAME]`: the stages that a recipe can name, or all that can be set of one."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from inspect import cleandoc
from typing import Any

from exporter.commands.words import add_json, completes, show, show_json, show_table, show_wrapped
from exporter.recipes.options import Option, options_of_stage
from exporter.stages import STAGES, Stage
from exporter.stages.base import READS
from exporter.suggestions import named


def add_arguments(parser: argparse.ArgumentParser) -> None:
    name = parser.add_argument("name", nargs="?", metavar="NAME", help="explain each option of this stage")
    completes(name, lambda **_: {stage.name: _summary(stage) for stage in STAGES})
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    if args.name is None:
        _show_all(args.json)
    else:
        _show_one(named(args.name, {stage.name: stage for stage in STAGES}, "stage"), args.json)
    return 0


def _show_all(as_json: bool) -> None:
    if as_json:
        show_json([_listed(stage) for stage in STAGES])
        return
    rows = [(stage.name, f"{stage.takes} → {stage.gives}", _summary(stage)) for stage in STAGES]
    show_table("", ("stage", "model", "what it does"), rows)
    show("exporter stages NAME explains the options of one")


def _show_one(stage: type[Stage], as_json: bool) -> None:
    options = options_of_stage(stage)
    if as_json:
        show_json(
            {key: value for key, value in _listed(stage).items() if key != "options"}
            | {"options": [*map(asdict, options)]}
        )
        return
    show(f"{stage.name}  ({stage.takes} → {stage.gives})\n")
    for paragraph in cleandoc(stage.__doc__ or "").split("\n\n"):
        show_wrapped(paragraph)
        show()
    if reads := [words for key, words in READS.items() if key in stage.reads]:
        show_wrapped(f"reads: the model, {', '.join(reads)}")
        show()
    for option in options:
        _show_option(option)
    first = options[0].key
    show(f"in a recipe:        - {stage.name}: {{{first}: …}}\non a command line:  {stage.name}.{first}=…")


def _show_option(option: Option) -> None:
    """Name, values and default, then the rest further in."""
    values = ", ".join(filter(None, (option.values, option.unit)))
    default = option.default_text if option.required else option.default_text and f"default {option.default_text}"
    show_wrapped("; ".join(filter(None, (f"{option.key}: {values}", default))), 2, 6)
    show_wrapped(f"{option.what}. {option.when}.", 6)
    show()


def _listed(stage: type[Stage]) -> dict[str, Any]:
    return {
        "name": stage.name,
        "takes": str(stage.takes),
        "gives": str(stage.gives),
        "summary": _summary(stage),
        "options": {key: field.get_default(call_default_factory=True) for key, field in stage.model_fields.items()},
    }


def _summary(stage: type[Stage]) -> str:
    return (stage.__doc__ or "").strip().splitlines()[0]
