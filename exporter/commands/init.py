"""`exporter init NETWORK`: write a commented recipe that runs, with what was found out by trying."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.commands.network_words import add_network, wanted_of
from exporter.commands.probe import probed
from exporter.commands.words import show
from exporter.errors import PlanError, UnusablePath

if TYPE_CHECKING:
    from exporter.probe.wanted import Wanted

USUAL_PX = 256  # of a tile, and of the shipped pictures
RANDOM = ".random.safetensors"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_network(parser)
    parser.add_argument("--size", metavar="HxW", help="of the picture that goes in, px; without: one that it takes")
    parser.add_argument("-o", "--out", type=Path, metavar="FILE", help="the recipe; without: NAME.yaml, here")


def run(args: argparse.Namespace) -> int:
    from exporter.files.atomic import write_text_atomically
    from exporter.probe.draft import Draft, plain_name, recipe_text, shipped_data

    wanted = wanted_of(args)
    name = plain_name(args.out.stem if args.out else _name(wanted))
    recipe = args.out or Path(f"{name}.yaml")
    _refuse_existing(recipe)
    if not recipe.parent.is_dir():
        raise UnusablePath(f"{recipe.parent} is no folder", hint="make it first, or name another with -o")
    random = recipe.with_name(f"{name}{RANDOM}")
    if not wanted.checkpoint:
        _refuse_existing(random)
    found = probed(replace(wanted, usual_px=USUAL_PX), keep=None if wanted.checkpoint else random)
    if all(row.status != "ok" for row in found.targets.values()):
        random.unlink(missing_ok=True)
        raise PlanError(f"no target goes through, so there is no recipe: {next(iter(found.targets.values())).message}")
    checkpoint = wanted.checkpoint or random
    write_text_atomically(recipe, recipe_text(Draft(name, recipe.parent, checkpoint, wanted.checkpoint is None, found)))
    _write_schema(recipe.parent)
    for target, row in found.targets.items():
        show(f"{target}: {row.status}{f': {row.message}' if row.status != 'ok' else ''}")
    show(f"recipe: {recipe}")
    if not wanted.checkpoint:
        show(f"  it names random weights, {random.name}: put your checkpoint's name there")
    if not shipped_data():
        show("  fill in data.calibration and data.evaluation before the first run")
    return 0


def _write_schema(folder: Path) -> None:
    """What the recipe's first line names; one that is there, maybe of other recipes, stays."""
    from exporter.files.atomic import write_text_atomically
    from exporter.recipes.schema import SCHEMA_FILE, schema_text

    if not os.path.lexists(folder / SCHEMA_FILE):
        write_text_atomically(folder / SCHEMA_FILE, schema_text("recipe"))


def _name(wanted: Wanted) -> str:
    """After the class, the architecture or the file."""
    if wanted.arch is None:
        assert wanted.checkpoint is not None
        return wanted.checkpoint.stem or wanted.checkpoint.name
    return wanted.arch.rpartition(":")[2]


def _refuse_existing(path: Path) -> None:
    if path.exists() or path.is_symlink():
        raise UnusablePath(f"{path} is there already and was left as it is", hint="name another file: -o FILE")
