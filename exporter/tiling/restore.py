"""Runs pictures of any size through a model of one input size; see `exporter.tiling.tiles`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from exporter.data.images import to_uint8
from exporter.errors import EngineError
from exporter.tiling.grid import Tiling
from exporter.tiling.tiles import Choose, Pixels, RunAll, restored_rows

__all__ = ["Pixels", "restore", "restored_rows"]


def restore(
    pictures: Sequence[Pixels], infer_all: RunAll, tiling: Tiling, choose: Choose | None = None
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
