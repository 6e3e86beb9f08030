"""A recipe that is another one with some words changed, written as a file of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from exporter.errors import RecipeError
from exporter.recipes.file import Tree, read_recipe_tree


def changed_by(recipe: Path, words: Mapping[str, str]) -> Tree:
    """What a recipe that extends `recipe` has to say to be `recipe` with `words` laid over it. Raises RecipeError."""
    return _changes((), read_recipe_tree(recipe, {}).values, read_recipe_tree(recipe, words).values)


def extending_text(recipe: Path, folder: Path, words: Mapping[str, str], remarks: Iterable[str]) -> str:
    """YAML that lies in `folder`. Raises RecipeError."""
    import yaml

    said = {"extends": os.path.relpath(recipe.resolve(), folder.resolve()), **changed_by(recipe, words)}
    plain = json.loads(json.dumps(said))  # numbers that know how they were written become plain ones
    body = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110)
    return "\n".join([*(f"# {remark}" for remark in remarks), body])


def _changes(path: tuple[str, ...], old: Tree, new: Tree) -> Tree:
    """Mappings merge key by key, so that nothing can be taken out of one; everything else replaces."""
    found: Tree = {}
    if gone := [key for key in old if key not in new]:
        where = ".".join((*path, gone[0]))
        raise RecipeError(f"{'.'.join(path)} is replaced, and {where} gone: set the keys below it, one by one")
    for key, value in new.items():
        before: Any = old.get(key)
        if key not in old or not isinstance(value, dict) or not isinstance(before, dict):
            if key not in old or value != before:
                found[key] = value
        elif inner := _changes((*path, key), before, value):
            found[key] = inner
    return found
