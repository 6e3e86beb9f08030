"""`exporter runtimes`: where files can be run, and what is missing here."""

from __future__ import annotations

import argparse

from exporter.commands.words import add_json, show_json, show_table
from exporter.runtimes import RUNTIMES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    listing = [{"name": r.name, "takes": str(r.takes), "missing": r.missing()} for r in RUNTIMES]
    if args.json:
        show_json(listing)
        return 0
    show_table(
        "",
        ("name", "takes", "missing"),
        [(e["name"] or "", e["takes"] or "", e["missing"] or "–") for e in listing],
    )
    return 0
