"""Where the tiles of a picture lie, and how much of each is kept: the contract that the manifest carries as data.

Along each axis tiles start every `side - 2 * halo_px` pixels, rounded down to a multiple of `multiple`; the last one
ends where the picture ends, its length rounded up to `multiple`. Pixels beyond the picture mirror it, its edge pixel
repeated. Two neighbours meet in the middle of their overlap, at least `halo_px` inside both; `blend_px` > 0 fades one
into the other over that many pixels around the meeting point.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from exporter.errors import RecipeError


@dataclass(frozen=True, slots=True)
class Tiling:
    """How pictures of any size go through a model of one input size, all in px."""

    height: int
    width: int
    halo_px: int
    multiple: int = 1
    blend_px: int = 0

    def spans(self, height: int, width: int) -> tuple[list[Span], list[Span]]:
        """Tiles over the rows and over the columns of a picture. Raises RecipeError when these are no tiles."""
        self.check()
        sides = ((height, self.height), (width, self.width))
        rows, columns = (_spans(extent, side, self) for extent, side in sides)
        return rows, columns

    def count(self, extent: int, side: int) -> int:
        """How many tiles of `side` px lie along a side of a picture that is `extent` px long."""
        return len(_starts(extent, side, self))

    def step(self, side: int) -> int:
        """How far one tile of `side` px begins after the other."""
        return (side - 2 * self.halo_px) // self.multiple * self.multiple

    def blended(self) -> Tiling:
        """The same tiles, their seams blended over as many px as the halo allows."""
        widest = min(self.halo_px, max(0, self.step(min(self.height, self.width)) // 2))
        return replace(self, blend_px=widest)

    def check(self) -> None:
        """Raises RecipeError when there are pictures that such tiles cannot cover."""
        for side in (self.height, self.width):
            if side < 1 or self.multiple < 1 or self.halo_px < 0:
                raise RecipeError(
                    f"a tile of {side} px, a halo of {self.halo_px} px and multiples of {self.multiple} px are no tiles"
                )
            step = self.step(side)
            if step < 1:
                raise RecipeError(
                    f"a halo of {self.halo_px} px leaves nothing of a tile of {side} px",
                    hint=f"at most {largest_halo(side, self.multiple)} px, or export a larger input size",
                )
            widest = min(2 * self.halo_px, step // 2)
            if not 0 <= self.blend_px <= widest:
                raise RecipeError(
                    f"tiles of {side} px with a halo of {self.halo_px} px cannot be blended over {self.blend_px} px",
                    hint=f"at most {widest} px",
                )


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """One tile along one axis: its first pixel, and the share that each of its pixels has in the result.

    Shares are 0, 1, or a ramp between; those of all tiles add up to 1 everywhere.
    """

    start: int
    shares: NDArray[np.float32]


def mirrored(start: int, count: int, extent: int) -> NDArray[np.intp]:
    """Where the pixels from `start` on are found in a picture `extent` px long: what lies beyond it mirrors it."""
    there_and_back = np.arange(start, start + count) % (2 * extent)
    return np.minimum(there_and_back, 2 * extent - 1 - there_and_back)


def largest_halo(side: int, multiple: int) -> int:
    """The largest halo that leaves a step of one `multiple` between tiles."""
    return max(0, (side - multiple) // 2)


def _spans(extent: int, side: int, tiling: Tiling) -> list[Span]:
    starts = _starts(extent, side, tiling)
    # Halfway through each overlap; tile i keeps what lies between its two meeting points.
    meetings = [(before + side + after) // 2 for before, after in zip(starts, starts[1:], strict=False)]
    spans = []
    for index, start in enumerate(starts):
        pixels = np.arange(start, start + side, dtype=np.float32)
        shares = np.ones(side, np.float32)
        if index:
            shares *= _ramp(pixels, meetings[index - 1], tiling.blend_px)
        if index < len(meetings):
            shares *= 1 - _ramp(pixels, meetings[index], tiling.blend_px)
        spans.append(Span(start, shares))
    return spans


def _starts(extent: int, side: int, tiling: Tiling) -> list[int]:
    last = -(-extent // tiling.multiple) * tiling.multiple - side
    if last <= 0:
        return [0]
    return [*range(0, last, tiling.step(side)), last]


def _ramp(pixels: NDArray[np.float32], meeting: int, blend_px: int) -> NDArray[np.float32]:
    """0 before `meeting`, 1 after it; with a blend, a line between."""
    if blend_px == 0:
        return (pixels >= meeting).astype(np.float32)
    return np.clip((pixels + 0.5 - meeting) / blend_px + 0.5, 0, 1).astype(np.float32)
