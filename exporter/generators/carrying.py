"""States of a recurrent network as `forward` has them, tensors in tuples, lists and dicts, and as a file has them.

A file holds each tensor as an end of its own: planes over the picture, (…, H, W), as one (1, C, H, W), others as they
are.
"""

from __future__ import annotations

import re
from collections import namedtuple
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from math import prod
from typing import Any

import torch
from torch import Tensor

from exporter.carried import NEXT, PREVIOUS_INPUT, PREVIOUS_OUTPUT
from exporter.generators.interface import Carried

Shape = tuple[int | str, ...]
_SIDE = re.compile(r"([HW])(?:([/*])(\d+))?")


@dataclass(frozen=True, slots=True)
class End:
    """A state in a file: `shape` with H and W for the picture's sides; `has_output`: it has one of its own."""

    name: str
    shape: Shape
    has_output: bool


def ends_of(states: Sequence[Carried], shares: bool) -> tuple[End, ...]:
    """The ends that a file has behind its picture, each once. `shares`: frame and picture stand for themselves."""
    ends: dict[str, End] = {}
    for state in states:
        for path, shape in leaves(state.shape):
            name = end_name(state, path, shares)
            ends[name] = End(name, shape_in_file(shape), name not in (PREVIOUS_INPUT, PREVIOUS_OUTPUT))
    return tuple(ends.values())


def end_name(state: Carried, path: tuple[str, ...], shares: bool) -> str:
    """`state_h`, `state_levels_0`; what is shared with the picture is called after it."""
    if shares and state.source != "output":
        return PREVIOUS_INPUT if state.source == "frame" else PREVIOUS_OUTPUT
    return re.sub(r"\W", "_", "_".join(("state", state.argument, *path)))


def leaves(structure: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Shape]]:
    """The shape of every tensor of a structure, with the way to it."""
    if not isinstance(structure, Mapping):
        yield path, tuple(structure)
        return
    for key, part in _parts(structure):
        yield from leaves(part, (*path, str(key)))


def filled(structure: Any, tensors: Iterator[Tensor]) -> Any:
    """The structure with tensors where it has shapes."""
    if not isinstance(structure, Mapping):
        return next(tensors)
    parts = [(key, filled(part, tensors)) for key, part in _parts(structure)]
    if "dict" in structure:
        return dict(parts)
    if "named" in structure:
        return _named(tuple(key for key, _ in parts))(*(value for _, value in parts))
    values = [value for _, value in parts]
    return tuple(values) if "tuple" in structure else values


def tensors_of(structure: Any, value: Any) -> list[Tensor]:
    """The tensors of `value`, in the order of the structure. Raises LookupError where it is built in another way."""
    if not isinstance(structure, Mapping):
        if not isinstance(value, Tensor):
            raise LookupError(f"{type(value).__name__} stands where a state's tensor should")
        return [value]
    found = []
    parts = _parts(structure)
    by_place = "tuple" in structure or "list" in structure
    if by_place and (not isinstance(value, list | tuple) or len(value) != len(parts)):
        raise LookupError(f"{type(value).__name__} stands where {len(parts)} states should")
    for key, part in parts:
        found += tensors_of(part, getattr(value, key, None) if "named" in structure else value[key])
    return found


@cache
def _named(names: tuple[str, ...]) -> Any:
    """A class whose objects have parts of these names: in place of the user's own, which no file may ask for."""
    return namedtuple("State", names)


def structure_of(value: Any, height: int, width: int) -> Any:
    """What `value`, a state for a picture of that size, is built of. Raises LookupError for what is no tensor."""
    if isinstance(value, Tensor):
        return words_for(tuple(value.shape), height, width)
    if (names := _field_names(value)) is not None:
        return {"named": {name: structure_of(getattr(value, name), height, width) for name in names}}
    if isinstance(value, Mapping):
        return {"dict": {str(key): structure_of(part, height, width) for key, part in sorted(value.items())}}
    if isinstance(value, list | tuple) and value:
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [structure_of(part, height, width) for part in value]}
    raise LookupError(f"{type(value).__name__} is no state")


def _field_names(value: Any) -> list[str] | None:
    """Of a named tuple or a dataclass, sorted as a file's header keeps them."""
    if is_dataclass(value) and not isinstance(value, type):
        return sorted(field.name for field in fields(value))
    names = getattr(value, "_fields", None) if isinstance(value, tuple) else None
    return None if names is None else sorted(names)


def _parts(structure: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    ((_, parts),) = structure.items()
    return list(parts.items()) if isinstance(parts, Mapping) else list(enumerate(parts))


def words_for(shape: tuple[int, ...], height: int, width: int) -> list[int | str]:
    """A shape with its last two sides in terms of the picture's, where they are of planes over it."""
    if len(shape) < 3:
        return list(shape)
    rows, columns = _word("H", shape[-2], height), _word("W", shape[-1], width)
    return [*shape[:-2], rows, columns] if rows and columns and rows[1:] == columns[1:] else list(shape)


def _word(letter: str, side: int, of: int) -> str:
    if side and of % side == 0:
        return letter if side == of else f"{letter}/{of // side}"
    return f"{letter}*{side // of}" if side % of == 0 else ""


def sides(shape: Shape, height: int, width: int) -> tuple[int, ...]:
    """The shape beside a picture of that size."""
    return tuple(side if isinstance(side, int) else _side(side, height, width) for side in shape)


def _side(word: str, height: int, width: int) -> int:
    found = _SIDE.fullmatch(word)
    assert found is not None  # Carried has been looked at
    of, factor = (height if found[1] == "H" else width), int(found[3] or 1)
    return of * factor if found[2] == "*" else of // factor


def shape_in_file(shape: Shape) -> Shape:
    """Planes as those of one picture; anything else as it is."""
    planes = len(shape) >= 3 and str(shape[-2])[:1] == "H"
    lead = [side for side in shape[:-2] if isinstance(side, int)]
    return (1, prod(lead), *shape[-2:]) if planes or len(shape) == 4 else shape


def fresh(ends: Sequence[End], x: Tensor) -> list[Tensor]:
    """What stands before the first frame, beside the picture `x`: zeros."""
    height, width = x.shape[2:]
    return [torch.zeros(sides(end.shape, height, width), dtype=x.dtype, device=x.device) for end in ends]


def output_names(ends: Sequence[End]) -> list[str]:
    """Of the outputs that a file has behind its picture."""
    return [f"{NEXT}{end.name}" for end in ends if end.has_output]
