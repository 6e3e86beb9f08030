"""`exporter plan recipe=FILE`: the chains, what of them is kept, and every mistake, without doing any work."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from exporter.checkpoints.hub import not_here
from exporter.commands.plan_steps import show_steps, steps_of
from exporter.commands.words import add_build, add_json, add_recipe_words, show, show_json, split_words
from exporter.errors import MissingTool
from exporter.recipes.export import Recipe, load_recipe
from exporter.recipes.plan import CHECKED, LEFT, Chain, make_plan
from exporter.runs.times import usual_seconds
from exporter.tracking.track import check_trackers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recipe_words(parser)
    add_build(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    name, overrides = split_words(args.words)
    recipe = load_recipe(name, overrides)
    chains = make_plan(recipe)
    warnings = check_trackers(recipe.track)
    awaited = not_here(recipe.named_paths())
    kept = _kept(recipe, chains, args.build / recipe.name)
    steps = steps_of(chains, kept, usual_seconds(args.build / recipe.name, chains))
    if args.json:
        stages = {chain.target: [stage.name for stage in chain.stages] for chain in chains}
        found = {"recipe": recipe.resolved(), "chains": stages, "kept": kept, "not_here": awaited}
        said = {"warnings": list(warnings), "checked": CHECKED, "left": LEFT}
        show_json(found | {"steps": [asdict(step) for step in steps]} | said)
        return 0
    sizes = recipe.input.sizes or ((recipe.input.height, recipe.input.width),)
    several = ", a signature each" if len(sizes) > 1 else ""
    show(f"{recipe.name} {recipe.version}, {', '.join(f'{h}×{w}' for h, w in sizes)} px{several}")
    show_steps(steps, [chain.target for chain in chains])
    for chain in chains:
        promises = recipe.budget_of(chain.target).model_dump(exclude_none=True, exclude_defaults=True)
        limits = ", ".join(f"{key} {_limit(limit)}" for key, limit in promises.items())
        show(f"{chain.target} on {chain.runtime} promises {limits or 'nothing'}")
    for warning in warnings:
        show(f"warning: {warning}")
    for reference in awaited:
        show(f"not here yet: {reference}; an export fetches it first")
    show(f"checked: {CHECKED}")
    show(f"not yet: {LEFT}")
    return 0


def _limit(limit: float | dict[str, float] | list[str]) -> str:
    if isinstance(limit, dict):
        return " and ".join(f"{share:g} on {name}" for name, share in limit.items())
    return f"on {' and '.join(limit)}" if isinstance(limit, list) else f"{limit:g}"


def _kept(recipe: Recipe, chains: Sequence[Chain], folder: Path) -> dict[str, tuple[str, ...]]:
    """The finished stages of each target; {} where nothing was built yet, or what would tell is not here."""
    if not (folder / "stages").is_dir() or not_here(recipe.named_paths()):
        return {}
    from exporter.failures import explained

    try:
        from exporter.runs.folder import RunFolder
        from exporter.runs.kept import kept_stages

        return kept_stages(recipe, chains, RunFolder(folder))
    except Exception as error:
        if isinstance(explained(error), MissingTool):  # the base install has no library that opens weights
            return {}
        raise
