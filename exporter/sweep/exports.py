"""The exports of a sweep: recipes times settings, each planned as `exporter plan` does before anything is started."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from exporter.errors import ExportError, RecipeError
from exporter.recipes.export import load_recipe
from exporter.recipes.file import find_recipe
from exporter.recipes.plan import make_plan
from exporter.suggestions import shortened
from exporter.sweep.inputs import inputs_of

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
LONGEST = 100  # characters of a folder's name


@dataclass(frozen=True, slots=True)
class Export:
    """One export of a sweep. `name`: of its folder; `settings`: what tells it from others of its recipe."""

    name: str
    recipe: Path
    settings: Mapping[str, str]
    overrides: Mapping[str, str] = field(repr=False)  # `settings` and what all exports share
    bundle_name: str
    bundle_version: str
    inputs: str

    @property
    def title(self) -> str:
        return " ".join([self.recipe.stem, *(f"{key}={value}" for key, value in self.settings.items())])


def exports_of(
    recipes: Sequence[str], shared: Mapping[str, str], settings: Iterable[Mapping[str, str]]
) -> list[Export]:
    """Every recipe with every one of `settings` on top of `shared`. Raises what `exporter plan` would, named."""
    chosen, exports = list(settings), list[Export]()
    for name in recipes:
        exports += [_export(name, shared, each) for each in chosen]
    named: dict[str, Export] = {}
    for export in exports:
        if (other := named.setdefault(export.name.casefold(), export)) is not export:
            both = f"{other.recipe} and {export.recipe}" if other.recipe != export.recipe else str(export.recipe)
            raise RecipeError(
                f"two exports of the sweep are called {export.title}: {both}", hint="rename one of the files"
            )
    return exports


def _export(name: str, shared: Mapping[str, str], settings: Mapping[str, str]) -> Export:
    if both := sorted(settings.keys() & shared.keys()):
        raise RecipeError(f"{shortened(both[0])} is given twice: behind --set and for all exports")
    overrides = {**shared, **settings}
    try:
        recipe = load_recipe(name, overrides)
        make_plan(recipe)
        inputs = inputs_of(recipe)
    except ExportError as error:
        if not settings:
            raise
        asked = " ".join(f"{key}={shortened(value)}" for key, value in settings.items())
        raise type(error)(f"with {asked}: {error}") from None
    path = find_recipe(name)
    return Export(_folder_name(path.stem, settings), path, settings, overrides, recipe.name, recipe.version, inputs)


def _folder_name(stem: str, settings: Mapping[str, str]) -> str:
    """Readable, of one part, and no two alike: where signs had to go, a few of a digest stand for them."""
    whole = "--".join([stem, *(f"{key}-{value}" for key, value in settings.items())])
    plain = _UNSAFE.sub("_", whole).lstrip(".-_")[:LONGEST]
    return plain if plain == whole else f"{plain}-{sha256(whole.encode()).hexdigest()[:8]}".lstrip("-")
