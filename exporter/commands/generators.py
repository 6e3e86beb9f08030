"""`exporter generators`: the architectures a recipe can name."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from exporter.commands.words import add_json, show_json, show_table
from exporter.generators import GENERATORS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    if args.json:
        show_json([asdict(info) for info in GENERATORS])
        return 0
    columns = ("name", "size rule", "licence", "what")
    show_table("", columns, [(i.name, f"multiple of {i.multiple}", i.licence, i.summary) for i in GENERATORS])
    return 0
