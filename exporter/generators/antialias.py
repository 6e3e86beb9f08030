"""How much of each row PyTorch's antialiased resize takes, which ONNX's own counts from another centre.

Keys, "Cubic convolution interpolation for digital image processing", 1981, with a = -1/2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

REACH = {"bilinear": 1.0, "bicubic": 2.0}  # of its filter, in rows of the smaller picture


def antialias_weights(mode: str, before: int, after: int, factor: float | None, corners: bool) -> NDArray[np.float32]:
    """(in, out) shares of each row; `factor` is the scale where it is not the quotient of the sizes."""
    scale = 1 / factor if factor else before / after
    if corners:
        scale = (before - 1) / max(after - 1, 1)
    wider = max(scale, 1.0)
    centre = scale * (np.arange(after) + 0.5)
    first = np.maximum((centre - REACH[mode] * wider + 0.5).astype(np.int64), 0)
    last = np.minimum((centre + REACH[mode] * wider + 0.5).astype(np.int64), before)
    row = np.arange(before)[:, None]
    shares = _filter(mode, np.abs(row - centre + 0.5) / wider) * ((row >= first) & (row < last))
    return np.asarray(shares / shares.sum(0), np.float32)


def _filter(mode: str, distance: NDArray[np.float64]) -> NDArray[np.float64]:
    if mode == "bilinear":
        return np.clip(1 - distance, 0, None)
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = -0.5 * (((distance - 5) * distance + 8) * distance - 4)
    return np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
