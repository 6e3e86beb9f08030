"""`exporter recipe=FILE [key=value …]`: run a recipe and hand over its bundle."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.commands.words import add_build, add_json, add_recipe_words, add_store, show, show_json, split_words
from exporter.recipes.export import load_recipe

if TYPE_CHECKING:
    from exporter.runs.export import Exported
    from exporter.tracking.track import Tracked


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recipe_words(parser)
    add_build(parser)
    add_store(parser)
    parser.add_argument("--dist", type=Path, default=Path("dist"), help="where bundles go")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    name, overrides = split_words(args.words)
    recipe = load_recipe(name, overrides)

    from exporter.recipes.plan import make_plan

    chains = make_plan(recipe)  # all mistakes, before anything heavy is imported

    from exporter.tracking.track import check_trackers, track_run

    warnings = check_trackers(recipe.track)

    from exporter.cache.store import Store, open_store

    shelf = open_store(args.store) if args.store is not None else None

    from exporter.bundle import bundle_folders
    from exporter.console import open_terminal
    from exporter.runs.export import export
    from exporter.runs.folder import RunFolder
    from exporter.runs.times import usual_seconds

    good, missed = bundle_folders(args.dist, recipe.name, recipe.version)
    had_missed = missed.exists()
    folder = RunFolder(args.build / recipe.name)
    with folder.locked():
        log = folder.log_file()
        terminal = open_terminal(log, on_stderr=args.json)
        terminal.usually_s = usual_seconds(folder.path, chains)
        terminal.say(f"{recipe.name} {recipe.version}: log in {log}")
        for warning in warnings:
            terminal.say(f"warning: {warning}")
        if shelf is not None:
            folder = replace(folder, store=Store(shelf, terminal.say))
        with terminal.live():
            exported = export(recipe, folder, args.dist, terminal, terminal.quiet)
        shipped = json.loads((exported.bundle / "report" / "report.json").read_bytes())
        with terminal.quiet():
            tracked = track_run(recipe.track, recipe.name, recipe.version, shipped, exported.curves)
        for each in tracked:
            terminal.say(str(each))
    earlier = good if exported.bundle != good and good.exists() else None
    if args.json:
        _show_json(exported, tracked, earlier)
    else:
        _show(exported, tracked, earlier, removed=missed if exported.bundle == good and had_missed else None)
    return exported.outcome.tally.status.exit_code


def _show_json(exported: Exported, tracked: Sequence[Tracked], earlier: Path | None) -> None:
    from exporter.report.document import document

    code, report = exported.outcome.tally.status.exit_code, document(exported.outcome)
    bundles = {"bundle": str(exported.bundle), "earlier_bundle": str(earlier) if earlier else None}
    said = {**bundles, "exit_code": code, "report": report}
    show_json(said | ({"tracked": [asdict(each) for each in tracked]} if tracked else {}))


def _show(exported: Exported, tracked: Sequence[Tracked], earlier: Path | None, removed: Path | None) -> None:
    from exporter.commands.handover import show_handover
    from exporter.commands.summary import show_summary
    from exporter.tracking.track import NOT_TRACKED

    found = exported.outcome.tally
    show_summary(exported.outcome)
    show_handover(exported.outcome, exported.bundle, earlier, removed)
    untracked = f"; {NOT_TRACKED}" if any(each.problem for each in tracked) else ""
    show(f"exit code {found.status.exit_code}: {found.headline}{untracked}")
