"""The recipe's own settings as a point of the space, so that a search learns from them and tries nothing twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from exporter.errors import RecipeError
from exporter.recipes.export import Recipe
from exporter.recipes.space import Range, Space, word_of

ROUNDING = 1e-9


def own_point(space: Space, own: Recipe, with_words: Callable[[Mapping[str, str]], Recipe]) -> dict[str, Any] | None:
    """None where the space does not hold them. `with_words`: the recipe with overrides."""
    tree = own.resolved()

    def changes_nothing(words: Mapping[str, str]) -> bool:
        try:
            return with_words(words).resolved() == tree
        except RecipeError:
            return False

    point: dict[str, Any] = {}
    for name, alternatives in space.together.items():
        settings = {
            label: {key: word_of(value) for key, value in words.items()} for label, words in alternatives.items()
        }
        point[name] = next((label for label, words in settings.items() if changes_nothing(words)), None)
    for key, one in space.keys.items():
        if one.choice:
            same = (value for value in one.choice if changes_nothing({key: word_of(value)}))
        else:
            found = _value_at(tree, key)
            same = (value for value in [found] if _holds(one, value))
        point[key] = next(same, _ABSENT)
    absent = any(value is None for name, value in point.items() if name in space.together)
    return None if absent or any(value is _ABSENT for value in point.values()) else point


_ABSENT = object()


def _value_at(tree: Any, key: str) -> Any:
    """The value that an override of `key` would replace; None where there is none."""
    first, *rest = key.split(".")
    if isinstance(tree, Mapping) and first not in tree:
        lists = [tree.get("stages", []), *(target["stages"] for target in tree.get("targets", {}).values())]
        tree, rest = next((stage for stages in lists for stage in stages if first in stage), {}), [first, *rest]
    else:
        rest = [first, *rest]
    for word in rest:
        if isinstance(tree, list):
            tree = next((stage for stage in tree if isinstance(stage, Mapping) and word in stage), {})
        tree = tree.get(word) if isinstance(tree, Mapping) else None
    return tree


def _holds(one: Range, value: Any) -> bool:
    bounds = one.integer or one.number
    if bounds is None or isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if not bounds[0] <= value <= bounds[1] or (one.integer and value != int(value)):
        return False
    steps = (value - bounds[0]) / one.step if one.step else 0.0
    return abs(steps - round(steps)) < ROUNDING
