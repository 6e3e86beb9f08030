"""`exporter plan recipe=FILE`: the chains, what of them is kept, and every mistake, without doing any work."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from exporter.checkpoints.hub import not_here
from exporter.commands.words import add_build, add_json, add_recipe_words, show, show_json, split_words
from exporter.errors import MissingTool
from exporter.recipes.export import Recipe, load_recipe
from exporter.recipes.plan import CHECKED, LEFT, Chain, make_plan
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
    if args.json:
        stages = {chain.target: [stage.name for stage in chain.stages] for chain in chains}
        found = {"recipe": recipe.resolved(), "chains": stages, "kept": kept, "not_here": awaited}
        show_json(found | {"warnings": list(warnings), "checked": CHECKED, "left": LEFT})
        return 0
    sizes = recipe.input.sizes or ((recipe.input.height, recipe.input.width),)
    several = ", a signature each" if len(sizes) > 1 else ""
    show(f"{recipe.name} {recipe.version}, {', '.join(f'{h}×{w}' for h, w in sizes)} px{several}")
    for chain in chains:
        show(f"  {chain}")
        if kept:
            done = kept[chain.target]
            every = "every stage" if len(done) == len(chain.stages) else ""
            show(f"  {'':14} already done: {every or ' → '.join(done) or 'nothing'}")
        promises = recipe.budget_of(chain.target).model_dump(exclude_none=True, exclude_defaults=True)
        show(f"  {'':14} promises: {', '.join(f'{key} {_limit(limit)}' for key, limit in promises.items()) or 'none'}")
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
