"""`exporter runtimes`: where files can be run and what is missing here; `--install` puts engines together."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from exporter.commands.words import add_json, show, show_json, show_table
from exporter.runtimes import RUNTIMES
from exporter.suggestions import named


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--install",
        nargs="*",
        metavar="NAME",
        help="put engines (all, or those named) together from packages, in $EXPORTER_ENGINES or build/engines",
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Exit code 0, or 4 when an engine could not be put together; the others are installed all the same."""
    failed = 0 if args.install is None else _install(args.install, say=_on_stderr if args.json else show)
    listing = [{"name": r.name, "takes": str(r.takes), "missing": r.missing()} for r in RUNTIMES]
    if args.json:
        show_json(listing)
        return failed
    rows = [(e["name"] or "", e["takes"] or "", e["missing"] or "–") for e in listing]
    show_table("", ("name", "takes", "missing"), rows)
    return failed


def _install(names: list[str], say: Callable[[str], None]) -> int:
    from exporter.engines import ENGINES
    from exporter.engines.base import install_all

    known = {engine.name: engine for engine in ENGINES}
    return install_all([named(name, known, "engine") for name in names] or ENGINES, say)


def _on_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
