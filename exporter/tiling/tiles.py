"""A picture of any size through a model of one size, tile by tile, as a bundle's manifest says it; needs NumPy alone.

    tiling = Tiling.of(manifest["tiling"])      # or that of one of a model's `signatures`
    result = restored(pixels, run, tiling)      # run: one tile, float32 0..1 (H, W, C), to what the model makes of it

Along each axis tiles start every `side - 2 * halo_px` pixels, rounded down to a multiple of `multiple`; the last one
ends where the picture ends, its length rounded up to `multiple`. Pixels beyond the picture mirror it, its edge pixel
repeated. Two neighbours meet in the middle of their overlap, at least `halo_px` inside both; `blend_px` > 0 fades one
into the other over that many pixels around the meeting point.

`exporter run` works by this file, and bundles hand it out: it imports nothing of the exporter's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (H, W, C), as the model takes it
Image = NDArray[np.float32]  # the same, 0..1
RunAll = Callable[[Iterable[Image]], Iterable[Image]]  # tiles in, what the model makes of each out
Choose = Callable[[Image], bool]  # whether a tile needs the model; the others stay as they are


class NoTiles(ValueError):
    """No picture can be covered by such tiles; `hint` says by which it could."""

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Tiling:
    """How pictures of any size go through a model of one input size, all in px."""

    height: int
    width: int
    halo_px: int
    multiple: int = 1
    blend_px: int = 0

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """From `tiling` of manifest.json. Raises NoTiles when these are no tiles that this file knows."""
        if facts["beyond_picture"] != "mirrored":
            raise NoTiles("beyond a picture this code knows only its mirror image")
        height, width = facts["tile_px"]
        tiling = cls(height, width, facts["halo_px"], facts["multiple_px"], facts["blend_px"])
        tiling.check()
        return tiling

    def spans(self, height: int, width: int) -> tuple[list[Span], list[Span]]:
        """Tiles over the rows and over the columns of a picture. Raises NoTiles when these are none."""
        self.check()
        sides = ((height, self.height), (width, self.width))
        rows, columns = (_spans(extent, side, self) for extent, side in sides)
        return rows, columns

    def step(self, side: int) -> int:
        """How far one tile of `side` px begins after the other."""
        return (side - 2 * self.halo_px) // self.multiple * self.multiple

    def check(self) -> None:
        """Raises NoTiles when there are pictures that such tiles cannot cover."""
        for side in (self.height, self.width):
            if side < 1 or self.multiple < 1 or self.halo_px < 0:
                raise NoTiles(
                    f"a tile of {side} px, a halo of {self.halo_px} px and multiples of {self.multiple} px are no tiles"
                )
            step = self.step(side)
            if step < 1:
                raise NoTiles(
                    f"a halo of {self.halo_px} px leaves nothing of a tile of {side} px",
                    hint=f"at most {largest_halo(side, self.multiple)} px, or export a larger input size",
                )
            widest = min(2 * self.halo_px, step // 2)
            if not 0 <= self.blend_px <= widest:
                raise NoTiles(
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


def restored(picture: Pixels, run: Callable[[Image], Image], tiling: Tiling) -> Pixels:
    """`picture` as the model makes it: same size (× the model's scale), 8-bit. Raises ValueError for a NaN."""
    made = []
    for top, (rows,) in restored_rows([picture], lambda tiles: map(run, tiles), tiling):
        if not np.isfinite(rows).all():
            raise ValueError(f"the model gave NaN or infinity in rows {top} to {top + len(rows) - 1}")
        made.append((np.clip(rows, 0, 1) * 255 + 0.5).astype(np.uint8))
    return np.concatenate(made)


def restored_rows(
    pictures: Sequence[Pixels | Image], run_all: RunAll, tiling: Tiling, choose: Choose | None = None
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Finished rows from top to bottom: (first row, float32 (pictures, rows, W, C)), not rounded.

    Pictures are uint8, or float32 in 0..1. Memory beside them: three strips as high as a tile and as wide as the
    picture, in float32.
    """
    height, width = pictures[0].shape[:2]
    rows, columns = tiling.spans(height, width)
    pending, top, scale = np.zeros((0,), np.float32), 0, 1
    for index, row in enumerate(rows):
        strip = _strip(pictures, row, columns, run_all, tiling, choose)
        scale = strip.shape[1] // tiling.height
        strip *= np.repeat(row.shares, scale)[None, :, None, None]
        if index:  # the rows of the former strip that this one shares
            strip[:, : pending.shape[1]] += pending
        end = rows[index + 1].start if index + 1 < len(rows) else height
        finished = (min(end, height) - row.start) * scale
        if finished > 0:
            yield top, strip[:, :finished]
        top, pending = top + max(finished, 0), strip[:, finished:]


def _strip(
    pictures: Sequence[Pixels | Image],
    row: Span,
    columns: Sequence[Span],
    run_all: RunAll,
    tiling: Tiling,
    choose: Choose | None,
) -> NDArray[np.float32]:
    """One row of tiles of every picture, put together side by side: (pictures, tile height, W, C)."""
    tiles = [_cut(picture, row, column, tiling) for picture in pictures for column in columns]
    wanted = [choose is None or choose(tile) for tile in tiles]
    made = iter(run_all([tile for tile, is_wanted in zip(tiles, wanted, strict=True) if is_wanted]))
    results = [next(made) if is_wanted else None for is_wanted in wanted]
    scale = next((result.shape[0] // tiling.height for result in results if result is not None), 1)
    width = pictures[0].shape[1]
    channels = next((result.shape[2] for result in results if result is not None), pictures[0].shape[2])
    strip = np.zeros((len(pictures), tiling.height * scale, width * scale, channels), np.float32)
    for number, (tile, result) in enumerate(zip(tiles, results, strict=True)):
        column = columns[number % len(columns)]
        kept = slice(column.start * scale, min(column.start + tiling.width, width) * scale)
        image = tile if result is None else result
        shares = np.repeat(column.shares, scale)[None, : kept.stop - kept.start, None]
        strip[number // len(columns), :, kept] += image[:, : kept.stop - kept.start] * shares
    return strip


def _cut(picture: Pixels | Image, row: Span, column: Span, tiling: Tiling) -> Image:
    """One tile of `picture`, float32 0..1; what lies beyond the picture mirrors it."""
    down = mirrored(row.start, tiling.height, picture.shape[0])
    across = mirrored(column.start, tiling.width, picture.shape[1])
    tile = picture[down][:, across]
    return tile.astype(np.float32) / 255 if tile.dtype == np.uint8 else np.ascontiguousarray(tile, np.float32)


def _spans(extent: int, side: int, tiling: Tiling) -> list[Span]:
    firsts = starts(extent, side, tiling)
    # Halfway through each overlap; tile i keeps what lies between its two meeting points.
    meetings = [(before + side + after) // 2 for before, after in zip(firsts, firsts[1:], strict=False)]
    spans = []
    for index, start in enumerate(firsts):
        pixels = np.arange(start, start + side, dtype=np.float32)
        shares = np.ones(side, np.float32)
        if index:
            shares *= _ramp(pixels, meetings[index - 1], tiling.blend_px)
        if index < len(meetings):
            shares *= 1 - _ramp(pixels, meetings[index], tiling.blend_px)
        spans.append(Span(start, shares))
    return spans


def starts(extent: int, side: int, tiling: Tiling) -> list[int]:
    """The first pixel of each tile of `side` px along a side of a picture that is `extent` px long."""
    last = -(-extent // tiling.multiple) * tiling.multiple - side
    if last <= 0:
        return [0]
    return [*range(0, last, tiling.step(side)), last]


def _ramp(pixels: NDArray[np.float32], meeting: int, blend_px: int) -> NDArray[np.float32]:
    """0 before `meeting`, 1 after it; with a blend, a line between."""
    if blend_px == 0:
        return (pixels >= meeting).astype(np.float32)
    return np.clip((pixels + 0.5 - meeting) / blend_px + 0.5, 0, 1).astype(np.float32)
