"""Runs pictures of any size through a model of one input size, a row of tiles at a time.

Memory beside the pictures themselves: three strips as high as a tile and as wide as the picture, in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from exporter.data.images import to_uint8
from exporter.errors import EngineError
from exporter.runtimes.base import Image
from exporter.tiling.grid import Span, Tiling, mirrored

Pixels = NDArray[np.uint8]  # (H, W, C), as the model takes it
InferAll = Callable[[Iterable[Image]], Iterable[Image]]  # a session's `infer_all`
Choose = Callable[[Image], bool]  # whether a tile needs the model; the others stay as they are


def restore(
    pictures: Sequence[Pixels], infer_all: InferAll, tiling: Tiling, choose: Choose | None = None
) -> list[Pixels]:
    """`pictures`, all of one size, as the model makes them: same size (× the model's scale), 8-bit.

    One picture at a time needs the least memory; several share the engine's jobs. Raises EngineError when the model
    gives NaN or infinity.
    """
    made: list[Pixels] = []
    for top, rows in restored_rows(pictures, infer_all, tiling, choose):
        if not np.isfinite(rows).all():
            raise EngineError(f"the model gave NaN or infinity in rows {top} to {top + rows.shape[1] - 1}")
        if not made:
            scale = rows.shape[2] // pictures[0].shape[1]
            shape = (pictures[0].shape[0] * scale, *rows.shape[2:])
            made = [np.empty(shape, np.uint8) for _ in pictures]
        for result, strip in zip(made, rows, strict=True):
            result[top : top + len(strip)] = to_uint8(strip)
    return made


def restored_rows(
    pictures: Sequence[Pixels | Image], infer_all: InferAll, tiling: Tiling, choose: Choose | None = None
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Finished rows from top to bottom: (first row, float32 (pictures, rows, W, C)), not rounded.

    Pictures are uint8, or float32 in 0..1.
    """
    height, width = pictures[0].shape[:2]
    rows, columns = tiling.spans(height, width)
    pending, top, scale = np.zeros((0,), np.float32), 0, 1
    for index, row in enumerate(rows):
        strip = _strip(pictures, row, columns, infer_all, tiling, choose)
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
    infer_all: InferAll,
    tiling: Tiling,
    choose: Choose | None,
) -> NDArray[np.float32]:
    """One row of tiles of every picture, put together side by side: (pictures, tile height, W, C)."""
    tiles = [_cut(picture, row, column, tiling) for picture in pictures for column in columns]
    wanted = [choose is None or choose(tile) for tile in tiles]
    made = iter(infer_all([tile for tile, is_wanted in zip(tiles, wanted, strict=True) if is_wanted]))
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
