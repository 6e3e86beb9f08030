"""Why a file's weights and a network may differ: read off their names and shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

_NUMBERED = re.compile(r"^(.*?)\.(\d+)\.")


def shapes_apart(name: str, file: Tensor, own: Tensor) -> str:
    return f"{name} is {tuple(file.shape)} in the file, {tuple(own.shape)} in the network"


def likely_cause(own: Mapping[str, Tensor], file: Mapping[str, Tensor]) -> str:
    """One clause on what the arguments of the network's class have wrong; empty when nothing can be told."""
    return _depth(own, file) or _width(own, file)


def _depth(own: Mapping[str, Tensor], file: Mapping[str, Tensor]) -> str:
    ours, theirs = _counts(own), _counts(file)
    for place in ours.keys() & theirs.keys():
        if ours[place] != theirs[place] and not place.startswith("module"):
            counts = f"{theirs[place]} layers in {place} where the network has {ours[place]}"
            return f"the file has {counts}: a depth in model.kwargs"
    return ""


def _counts(names: Mapping[str, Tensor]) -> dict[str, int]:
    """How many numbered modules lie at each place."""
    numbers: dict[str, int] = {}
    for name in names:
        if found := _NUMBERED.match(name):
            numbers[found[1]] = max(numbers.get(found[1], 0), int(found[2]) + 1)
    return numbers


def _width(own: Mapping[str, Tensor], file: Mapping[str, Tensor]) -> str:
    apart = [name for name in own if name in file and own[name].shape != file[name].shape]
    shapes = [(tuple(own[name].shape), tuple(file[name].shape)) for name in apart]
    shapes = [(ours, theirs) for ours, theirs in shapes if len(ours) == len(theirs)]
    if not shapes:
        return ""
    (ours, theirs), same_channels = shapes[0], all(a[:2] == b[:2] for a, b in shapes)
    if len(ours) == 4 and same_channels:
        return f"a kernel of {theirs[2]}×{theirs[3]} in the file, of {ours[2]}×{ours[3]} in the network"
    place = next(axis for axis, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b)
    what = "input channels" if place == 1 else "channels"
    counts = f"{theirs[place]} {what} in the file, {ours[place]} in the network"
    return f"{apart[0]} has {counts}: a width or scale in model.kwargs"
