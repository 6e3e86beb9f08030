"""Words that a recipe's command line may go on with: recipe files, and keys and values of what the recipe holds."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from exporter.errors import ExportError
from exporter.files.yaml_text import BadYaml
from exporter.recipes.file import Tree, find_recipe, read_recipe_tree
from exporter.recipes.options import Option, options_of, options_of_part, options_of_stage
from exporter.stages import STAGES

RECIPE, SPACE = "recipe=", "space="


def words_after(line: str, prefix: str, kind: str) -> dict[str, str]:
    """Word → what it is: all that `prefix`, the end of `line`, may become; `kind` of recipe: "recipe" or "train"."""
    if prefix.startswith(RECIPE):
        return {f"{RECIPE}{name}": "" for name in recipe_files(prefix.removeprefix(RECIPE))}
    named = [word.removeprefix(RECIPE) for word in _words(line) if word.startswith(RECIPE)]
    if not named:
        return {RECIPE: "the recipe's file"}
    options = {option.key: option for option in _options(kind, _tree(named[0]))}
    key, equals, _ = prefix.partition("=")
    if equals:
        return {f"{key}={value}": "" for value in options[key].choices} if key in options else {}
    return {f"{key}=": option.what for key, option in options.items()}


def space_words(line: str, prefix: str, kind: str) -> dict[str, str]:
    """Those of `exporter search`, which takes a space, too."""
    if prefix.startswith(SPACE):
        return {f"{SPACE}{name}": "" for name in recipe_files(prefix.removeprefix(SPACE))}
    found = words_after(line, prefix, kind)
    return found if prefix.startswith(RECIPE) or "=" in prefix else {SPACE: "the search space's file"} | found


def recipe_files(start: str) -> Iterator[str]:
    """Recipes and folders whose names begin with `start`; those in `recipes/` need no folder."""
    begun, folder = Path(start), Path(start) if start.endswith("/") else Path(start).parent
    places = [(folder, "" if folder == Path() else f"{folder}/".replace("//", "/"))]
    if begun.name == start:
        places.append((Path("recipes"), ""))
    for place, shown in places:
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            name = f"{shown}{path.name}"
            if path.is_dir() and place == folder and not path.name.startswith("."):
                yield f"{name}/"
            elif path.suffix in (".yaml", ".yml"):
                yield name


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:  # a quote that is not closed yet
        return line.split()


def _tree(recipe: str) -> Tree:
    """What it says, or nothing where it cannot be read: an export will say why."""
    try:
        return read_recipe_tree(find_recipe(recipe), {}).values
    except (ExportError, BadYaml, OSError):
        return {}


def _options(kind: str, tree: Tree) -> Iterator[Option]:
    yield from options_of(kind)
    if kind != "recipe":
        return
    used = set(_stage_names(tree))
    for stage in STAGES:
        if stage.name in used or not used:
            yield from (replace(option, key=f"{stage.name}.{option.key}") for option in options_of_stage(stage))
    targets = tree.get("targets")
    for name in targets if isinstance(targets, dict) else ():
        yield from (replace(option, key=f"targets.{name}.{option.key}") for option in options_of_part(kind, "Target"))


def _stage_names(tree: Tree) -> Iterator[str]:
    targets = tree.get("targets")
    for owner in (tree, *(targets.values() if isinstance(targets, dict) else ())):
        stages: Any = owner.get("stages") if isinstance(owner, dict) else None
        for stage in stages if isinstance(stages, list) else ():
            yield from map(str, stage) if isinstance(stage, dict) else (str(stage),)
