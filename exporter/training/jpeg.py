"""What JPEG takes from a picture, as tensor arithmetic: a whole batch at once, on the device where it lies.

Colour conversion, 2×2 chroma, the 8×8 cosine transform and the tables of ITU-T T.81 annex K, scaled as libjpeg scales
them; coding is lossless and left out.
"""

from __future__ import annotations

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 16  # px; sides are multiples of it: an 8×8 block of halved chroma
_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
_TO_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))
_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136, -0.714136), (1.0, 1.772, 0.0))


def jpeg(pictures: Tensor, quality: Tensor) -> Tensor:
    """(N, 3, H, W) RGB 0..1, H and W multiples of 16, as JPEG of `quality` (N,), 1..100, gives it back."""
    to_ycc, to_rgb, luma, chroma = (table.to(pictures.device) for table in _tables())
    levels = (pictures * 255).round()
    ycc = torch.einsum("dc,nchw->ndhw", to_ycc, levels)
    bright = _through_blocks(ycc[:, :1] - 128, _scaled(luma, quality)) + 128
    colour = _through_blocks(F.avg_pool2d(ycc[:, 1:], 2), _scaled(chroma, quality))
    colour = F.interpolate(colour, scale_factor=2, mode="bilinear")
    rgb = torch.einsum("dc,nchw->ndhw", to_rgb, torch.cat([bright, colour], 1))
    return rgb.round().clamp(0, 255) / 255


def _through_blocks(planes: Tensor, steps: Tensor) -> Tensor:
    """(N, C, H, W) with every 8×8 block's spectrum rounded to multiples of `steps` (N, 8, 8)."""
    n, c, height, width = planes.shape
    cosine, steps = _cosine().to(planes.device), steps[:, None, None, None]
    blocks = planes.reshape(n, c, height // 8, 8, width // 8, 8).transpose(3, 4)
    spectra = ((cosine @ blocks @ cosine.T) / steps).round() * steps
    return (cosine.T @ spectra @ cosine).transpose(3, 4).reshape(n, c, height, width)


def _scaled(table: Tensor, quality: Tensor) -> Tensor:
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)[:, None, None]
    return ((table * scale + 50) / 100).floor().clamp(1, 255)


@cache
def _tables() -> tuple[Tensor, ...]:
    return tuple(torch.tensor(table, dtype=torch.float32) for table in (_TO_YCC, _TO_RGB, _LUMA, _CHROMA))


@cache
def _cosine() -> Tensor:
    """The orthonormal 8-point cosine transform, one wave a row."""
    waves, places = torch.arange(8.0)[:, None], torch.arange(8.0)
    rows = torch.cos((2 * places + 1) * waves * math.pi / 16) / 2
    rows[0] /= math.sqrt(2)
    return rows
