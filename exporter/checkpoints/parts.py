"""The part of a checkpoint that a recipe names: one of several networks in it, or raw weights beside their average."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.errors import CheckpointError

if TYPE_CHECKING:
    from exporter.checkpoints.state_dicts import StateDict

MOST_NAMED = 12


def part_of(weights: Sequence[StateDict], part: str, path: Path) -> list[StateDict]:
    """The state dicts of `weights` that lie at `part`, a key of the file or the beginning of names, as `a` or `a.b`.

    Raises CheckpointError naming the parts that there are.
    """
    from exporter.checkpoints.state_dicts import variants

    wanted = tuple(part.strip(".").split("."))
    every = [found for state in weights for found in (state, *variants(state)) if found.where]
    exact = _first_forms(found for found in every if found.where == wanted)
    ending = exact or _first_forms(found for found in every if found.where[-len(wanted) :] == wanted)
    if not ending:
        places = [state.name for state in weights if state.where] or [found.name for found in every]
        held = ", ".join(dict.fromkeys(places[:MOST_NAMED])) or "one network alone, which needs no name"
        raise CheckpointError(f"model.weights: {path} has no part {part[:80]!r}; it holds {held}")
    if len({found.where for found in ending}) > 1:
        names = list(dict.fromkeys(found.name for found in ending))
        said = " or ".join(f"model.weights={name}" for name in names[:MOST_NAMED])
        raise CheckpointError(f"model.weights: {path} has several parts {part[:80]!r}", hint=f"say which: {said}")
    return ending


def _first_forms(found: Iterator[StateDict]) -> list[StateDict]:
    """One state dict of each place: the form that comes first is the file's own."""
    places: dict[tuple[str, ...], StateDict] = {}
    for state in found:
        places.setdefault(state.where, state)
    return list(places.values())
