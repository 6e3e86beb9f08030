"""Colour pictures through networks that know luminance only (ITU-R BT.601, studio range, as in the SR literature).

Y' = 16 + 65.481 R + 128.553 G + 24.966 B of 255. Changing Y' alone and going back to RGB adds the same amount,
255/219 of the change, to each colour: chroma never has to be computed.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

_WEIGHTS = (65.481 / 255, 128.553 / 255, 24.966 / 255)
_OFFSET = 16 / 255


class Luminance(nn.Module):
    """(N, 3, H, W) RGB 0..1 to (N, 1, H, W) luminance, 16/255..235/255."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weights", torch.tensor(_WEIGHTS).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, rgb: Tensor) -> Tensor:
        return F.conv2d(rgb, self.get_buffer("weights")) + _OFFSET


def change_luminance(rgb: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """`rgb` with luminance `after` instead of `before`, chroma kept."""
    return rgb + (after - before) * (255 / 219)


class Bicubic(nn.Module):
    """Enlargement by a whole factor with the bicubic kernel (a = -0.5), as one convolution and a pixel shuffle.

    Border pixels repeat outwards. Keys (1981), "Cubic convolution interpolation for digital image processing".
    """

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        taps = torch.from_numpy(np.stack([_taps(phase, scale) for phase in range(scale)])).float()
        kernels = torch.einsum("ai,bj->abij", taps, taps).reshape(scale**2, 1, 5, 5)
        self.register_buffer("kernels", kernels.repeat(3, 1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        padded = F.pad(x, (2, 2, 2, 2), "replicate")
        return F.pixel_shuffle(F.conv2d(padded, self.get_buffer("kernels"), groups=3), self.scale)


def _taps(phase: int, scale: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Weights of the five pixels around a source pixel for the output pixel at `phase` of `scale`."""
    place = (phase + 0.5) / scale - 0.5
    distance = np.abs(np.arange(-2, 3) - place)
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    weights = np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
    return np.asarray(weights / weights.sum())
