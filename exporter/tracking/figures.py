"""A report as trackers take it: numbers over steps, and texts, each under one flat name.

The name is the way to the field, joined by `/`; an entry of a list is called by its `name` where every entry has one
of its own, else by its place. A list of numbers is one figure, its steps are the places. A number that no double holds,
and all that is no number, is a text: words as they are, the rest as JSON writes it. Nothing of the report is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

LONGEST_NAME = 250  # characters, MLflow's limit
Series = tuple[tuple[int, float], ...]  # step, value
_OTHER = re.compile(r"[^A-Za-z0-9_. -]")
_DIGEST = 16


@dataclass(frozen=True, slots=True)
class Figures:
    numbers: dict[str, Series] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)


def figures_of(document: Mapping[str, Any], curves: Mapping[str, Sequence[Mapping[str, float]]]) -> Figures:
    """Every field of `document`, which is JSON, and of each training the lines it wrote, each with its step."""
    found = Figures()
    for way, value in _fields((), document):
        name = _free(_name(way), found)
        if isinstance(value, str):
            found.texts[name] = value
        elif _is_number(value):
            found.numbers[name] = ((0, float(value)),)
        elif isinstance(value, list) and value:
            found.numbers[name] = tuple((i, float(number)) for i, number in enumerate(value))
        else:
            found.texts[name] = json.dumps(value)
    for training, lines in curves.items():
        for key in dict.fromkeys(key for line in lines for key in line if key != "step"):
            name = _free(_name(("training", training, key)), found)
            found.numbers[name] = tuple((int(line["step"]), float(line[key])) for line in lines if key in line)
    return found


def _fields(way: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The leaves; an empty list or mapping is one, and so is a list of numbers."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _fields((*way, str(key)), inner)
    elif isinstance(value, list) and value and not all(map(_is_number, value)):
        for key, inner in zip(_keys(value), value, strict=True):
            yield from _fields((*way, key), inner)
    else:
        yield way, value


def _keys(entries: list[Any]) -> list[str]:
    names = [entry.get("name") if isinstance(entry, Mapping) else None for entry in entries]
    own = [name for name in names if isinstance(name, str)]
    return own if len(set(own)) == len(entries) else [str(i) for i in range(len(entries))]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and _as_double(value) == value


def _as_double(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("nan")


def _name(way: tuple[str, ...]) -> str:
    name = "/".join(_OTHER.sub("_", part) if part.strip(".") else "_" for part in way)
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - _DIGEST - 1]}-{sha256(name.encode()).hexdigest()[:_DIGEST]}"


def _free(name: str, taken: Figures) -> str:
    """Two ways that differ in a character no tracker takes have two names all the same."""
    free, turn = name, 2
    while free in taken.numbers or free in taken.texts:
        free, turn = f"{name[: LONGEST_NAME - 8]}-{turn}", turn + 1
    return free
