"""`exporter verify BUNDLE`: re-check everything from the folder alone: digests, specs, pictures."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from exporter.commands.words import add_json, show, show_json, show_table
from exporter.errors import EXIT_CODES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", type=Path, help="dist/<name>-<version>")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from exporter.bundle import verify_bundle

    verdict = verify_bundle(args.bundle)
    if args.json:
        show_json({"exit_code": verdict.exit_code, "checks": [asdict(check) for check in verdict.checks]})
        return verdict.exit_code
    show_table("", ("check", "status", "detail"), [(c.name, c.status, c.detail) for c in verdict.checks])
    show(f"exit code {verdict.exit_code}: {EXIT_CODES[verdict.exit_code]}")
    return verdict.exit_code
