"""Is a tile blurred? Only those need the model.

Measured on the 40 pairs of calibration/evaluation_256, blurred against sharp: area under the curve 0.974, against 0.929
for the variance of the Laplacian and 0.836 for "The Blur Effect" (Crete et al. 2007). Above a sharpness of 0.88 lie 5 %
of the blurred pictures and three quarters of the sharp ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exporter.runtimes.base import Image

BLUR_SIGMA_PX = 2.0
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601


def sharpness(image: Image) -> float:
    """The share of the gradient's energy that a Gaussian blur of 2 px takes away, 0..1: what is blurred has little
    to lose. Unlike the Laplacian's variance it does not grow with contrast. A flat picture counts as 1."""
    import cv2

    luma = image @ _LUMA if image.shape[2] == 3 else image.mean(axis=2)
    before = _gradient_energy(luma)
    if before == 0:
        return 1.0
    return 1 - _gradient_energy(cv2.GaussianBlur(luma, (0, 0), BLUR_SIGMA_PX)) / before


def _gradient_energy(luma: NDArray[np.float32]) -> float:
    return float(sum(np.square(np.diff(luma, axis=axis)).sum(dtype=np.float64) for axis in (0, 1)))
