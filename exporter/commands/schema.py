"""`exporter schema`: what editors complete and check recipes by."""

from __future__ import annotations

import argparse

from exporter.commands.words import show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    what = "of export recipes, of those of `exporter train`, or of the spaces of `exporter search`"
    parser.add_argument("--of", choices=("recipe", "train", "space"), default="recipe", help=what)


def run(args: argparse.Namespace) -> int:
    from exporter.recipes.schema import schema_text

    show(schema_text(args.of).removesuffix("\n"))
    return 0
