"""Frames of one film in a set of pictures: numbered one after the other in a folder, and alike.

So lie GoPro, REDS and the frames that a player writes out. Numbers alone tell nothing, photographs are numbered, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from exporter.data.spread import evenly_spread

Floats = NDArray[np.float32]
LOOKED_AT = 8  # pairs of neighbours
LEAST_ALIKE = 0.8  # correlation of thumbnails; of two photographs it is seldom above 0.5
SIDE_PX = 8
_NUMBERED = re.compile(r"(.*?)(\d+)")


def around(files: Sequence[str], frames: int, meant: int) -> list[tuple[int, ...]]:
    """For each of `files` the places of the `frames` that belong to it, itself at place `meant`; [] for no films.

    At both ends of a film its last frame is repeated.
    """
    films: dict[tuple[str, str], dict[int, int]] = {}
    where: list[tuple[tuple[str, str], int]] = []
    for place, file in enumerate(files):
        path = PurePosixPath(file)
        found = _NUMBERED.fullmatch(path.stem)
        if found is None:
            return []
        film, number = (str(path.parent), found[1]), int(found[2])
        films.setdefault(film, {})[number] = place
        where.append((film, number))
    if any(len(numbers) < 2 or max(numbers) - min(numbers) >= len(numbers) for numbers in films.values()):
        return []
    return [_clamped(films[film], number, frames, meant) for film, number in where]


def _clamped(numbers: dict[int, int], number: int, frames: int, meant: int) -> tuple[int, ...]:
    first, last = min(numbers), max(numbers)
    return tuple(numbers[min(max(number + step - meant, first), last)] for step in range(frames))


def are_filmed(belonging: Sequence[tuple[int, ...]], read: Callable[[int], Floats]) -> bool:
    """Whether neighbours look alike; `read` gives the picture (H, W, 3) of a place. Reads a few."""
    pairs = list(dict.fromkeys(pair for places in belonging for pair in pairwise(places) if pair[0] != pair[1]))
    chosen = [pairs[place] for place in evenly_spread(len(pairs), LOOKED_AT)]
    return bool(chosen) and float(np.median([_alike(read(one), read(other)) for one, other in chosen])) >= LEAST_ALIKE


def _alike(one: Floats, other: Floats) -> float:
    if one.shape != other.shape or min(one.shape[:2]) < SIDE_PX:
        return 0.0
    first, second = (_thumbnail(picture) for picture in (one, other))
    spread = float(first.std() * second.std())
    return float(((first - first.mean()) * (second - second.mean())).mean()) / spread if spread else 0.0


def _thumbnail(picture: Floats) -> NDArray[np.float64]:
    luma = picture.astype(np.float64).mean(axis=2)
    rows, columns = (side // SIDE_PX for side in luma.shape)
    cut = luma[: rows * SIDE_PX, : columns * SIDE_PX]
    return np.asarray(cut.reshape(SIDE_PX, rows, SIDE_PX, columns).mean(axis=(1, 3)))
