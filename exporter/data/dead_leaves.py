"""A drawn picture with the statistics of photographs, for where no photograph is at hand.

Discs of many sizes and colours that hide each other; their edges at all scales give the 1/f spectrum of natural images
(Lee, Mumford and Huang, "Occlusion Models for Natural Images", IJCV 2001).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DISCS = 1500
SMALLEST_RADIUS = 1 / 100  # of the shorter side
LARGEST_RADIUS = 1 / 3


def dead_leaves(height: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    """(H, W, 3) RGB that reaches 0 and 1."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 0.5, np.float32)
    rows, columns = np.ogrid[:height, :width]
    # Radii spread as 1/r³ look the same at every distance.
    inverse = rng.uniform(LARGEST_RADIUS**-2, SMALLEST_RADIUS**-2, DISCS)
    for radius in min(height, width) / np.sqrt(inverse):
        y, x = rng.uniform(0, height), rng.uniform(0, width)
        window = np.s_[max(0, int(y - radius)) : int(y + radius) + 2, max(0, int(x - radius)) : int(x + radius) + 2]
        inside = (rows[window[0]] - y) ** 2 + (columns[:, window[1]] - x) ** 2 <= radius**2
        picture[window][inside] = rng.beta(0.7, 0.7, 3)
    low, high = picture.min(), picture.max()
    return np.asarray((picture - low) / (high - low), np.float32)
