"""`exporter plan recipe=FILE`: the chains, and every mistake, without doing any work."""

from __future__ import annotations

import argparse

from exporter.commands.words import add_json, add_recipe_words, show, show_json, split_words
from exporter.recipes.export import load_recipe
from exporter.recipes.plan import CHECKED, LEFT, make_plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_recipe_words(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    name, overrides = split_words(args.words)
    recipe = load_recipe(name, overrides)
    chains = make_plan(recipe)
    if args.json:
        stages = {chain.target: [stage.name for stage in chain.stages] for chain in chains}
        show_json({"recipe": recipe.resolved(), "chains": stages, "checked": CHECKED, "left": LEFT})
        return 0
    show(f"{recipe.name} {recipe.version}, {recipe.input.height}×{recipe.input.width} px")
    for chain in chains:
        show(f"  {chain}")
        promises = recipe.budget_of(chain.target).model_dump(exclude_none=True, exclude_defaults=True)
        show(f"  {'':14} promises: {', '.join(f'{key} {value:g}' for key, value in promises.items()) or 'none'}")
    show(f"checked: {CHECKED}")
    show(f"not yet: {LEFT}")
    return 0
