"""Which halo to use: the receptive field's where it fits into the tile, else the smallest whose seam nobody sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from exporter.data.images import frame
from exporter.runtimes.base import Image
from exporter.tiling.grid import Tiling, largest_halo
from exporter.tiling.receptive_field import ReceptiveField

Infer = Callable[[Image], Image]  # a network that takes any size

SEAM_LEVELS_RMS = 0.5  # an error along the seam that nobody sees: rounding to 8 bits alone makes 0.29 levels
LARGEST_SHARE_OF_TILE = 4  # a halo of a quarter tile computes every pixel four times; more would be for little
LARGEST_PROBE_PX = 512  # the whole picture is twice as wide and high: a larger one would fill the memory


def choose_tiling(
    infer: Infer, pictures: Sequence[Image], height: int, width: int, multiple: int, field: ReceptiveField
) -> Tiling:
    """The tiling of height×width px tiles for a network: exact where its receptive field allows, measured otherwise.

    `infer`: the float network at any size; `pictures`: typical ones. A truncated halo is the smallest multiple of
    `multiple` beyond which tile and whole picture differ by at most `SEAM_LEVELS_RMS` on the worst picture, at most a
    quarter of the tile, and its seams are blended.
    """
    widest = tiling_of(height, width, multiple, field)
    if field.halo_px is not None and widest.halo_px >= field.halo_px or widest.halo_px == 0:
        return widest
    probe = [min(length, LARGEST_PROBE_PX // multiple * multiple) for length in (height, width)]
    worst = np.max([error_by_depth(infer, picture, probe[0], probe[1], multiple) for picture in pictures], axis=0)
    unseen = (px for px in range(multiple, widest.halo_px, multiple) if worst[px // multiple] <= SEAM_LEVELS_RMS)
    return Tiling(height, width, next(unseen, widest.halo_px), multiple).blended()


def tiling_of(height: int, width: int, multiple: int, field: ReceptiveField) -> Tiling:
    """The exact tiling where the receptive field fits into the tile, else a halo of a quarter tile, blended."""
    side = min(height, width)
    if field.halo_px is not None:
        exact_px = -(-field.halo_px // multiple) * multiple
        if exact_px <= largest_halo(side, multiple):
            return Tiling(height, width, exact_px, multiple)
    return Tiling(height, width, side // LARGEST_SHARE_OF_TILE // multiple * multiple, multiple).blended()


def error_by_depth(infer: Infer, picture: Image, height: int, width: int, multiple: int) -> list[float]:
    """How wrong a tile in the middle of a picture is, by the distance from its edge, in 8-bit levels RMS.

    Entry i is about the pixels from `i * multiple` to `(i + 1) * multiple` px inside the tile; the truth is the same
    network on the whole picture, twice as high and wide.
    """
    whole = frame(picture, 2 * height, 2 * width)
    top, left = (side // 2 // multiple * multiple for side in (height, width))
    tile = infer(np.ascontiguousarray(whole[top : top + height, left : left + width]))
    scale = tile.shape[0] // height
    truth = infer(whole)[top * scale :, left * scale :][: tile.shape[0], : tile.shape[1]]
    squares = np.square((tile - truth) * 255).mean(axis=2)
    rows, columns = (np.minimum(np.arange(side), side - 1 - np.arange(side)) for side in squares.shape[:2])
    ring = np.minimum.outer(rows, columns) // (multiple * scale)
    return [float(np.sqrt(squares[ring == depth].mean())) for depth in range(min(height, width) // 2 // multiple)]
