"""`exporter schema`: what editors complete and check recipes by."""

from __future__ import annotations

import argparse

from exporter.commands.words import show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--of", choices=("recipe", "train"), default="recipe", help="of export recipes, or of those of `exporter train`"
    )


def run(args: argparse.Namespace) -> int:
    from exporter.recipes.schema import schema_text

    show(schema_text(args.of).removesuffix("\n"))
    return 0
