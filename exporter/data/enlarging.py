"""Pictures for networks that enlarge: small ones made from sharp ones by a protocol that has a name, or given pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exporter.data.bicubic import enlarge, shrink
from exporter.data.images import image_size, to_uint8
from exporter.data.protocol import Protocol
from exporter.errors import DataError

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
PROTOCOLS: dict[Protocol, Callable[[Pixels, int], Pixels]] = {"bicubic": shrink}
LEAST_SMALL_PX = 8  # of a small picture's shorter side: on fewer nothing is told of a network
BASELINE = "bicubic enlargement"  # what a gain is over


def shrunk(sharp: Pixels, scale: int, protocol: Protocol) -> tuple[Pixels, Pixels]:
    """(small, sharp), bytes: rows and columns that make no whole pixel of the small picture are cut off `sharp`."""
    height, width = (side - side % scale for side in sharp.shape[:2])
    sharp = sharp[:height, :width]
    return PROTOCOLS[protocol](sharp, scale), sharp


def small_and_sharp(sharp: Floats, scale: int, protocol: Protocol, file: Path) -> tuple[Floats, Floats]:
    """`shrunk` of a picture in 0..1, both in 0..1 and of 8 bits. Raises DataError, naming `file`, for a tiny one."""
    if min(sharp.shape[:2]) < LEAST_SMALL_PX * scale:
        raise DataError(
            f"{file} is {sharp.shape[1]}×{sharp.shape[0]} px: made {scale} times smaller, less than {LEAST_SMALL_PX} "
            "px would be left of it",
            hint="take larger pictures for a network that enlarges",
        )
    small, cut = (pixels.astype(np.float32) / 255 for pixels in shrunk(to_uint8(sharp), scale, protocol))
    return small, cut


def enlarged(small: Floats, scale: int) -> Floats:
    """(H, W, C) in 0..1 at `scale` times the size, as anybody would without a network: the baseline of a gain."""
    return enlarge(to_uint8(small), scale).astype(np.float32) / 255


def are_of_two_sizes(pairs: Iterable[tuple[Path, Path]], scale: int) -> bool:
    """Whether the second of each pair is `scale` times as large; False when all are of one size.

    Reads the heads of the files alone. Raises DataError for anything else, naming the pair.
    """
    found = set()
    for small, sharp in pairs:
        (width, height), large = image_size(small), image_size(sharp)
        if large not in ((width, height), (scale * width, scale * height)):
            raise DataError(
                f"{small} and {sharp} are a pair, but {width}×{height} and {large[0]}×{large[1]} px",
                hint=f"the network enlarges {scale} times: a sharp picture is {scale} times as large, or as large",
            )
        found.add(large != (width, height))
        if len(found) > 1:
            raise DataError(f"{small} and {sharp} are of other sizes than the pairs before", hint="take one kind")
    return found == {True}
