"""Resizing as `jax.image.resize` does it, in operators that every engine has; maps are (N, H, W, C)."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Resize(nn.Module):
    """A map of level `source` brought to level `target` (size 1 / 2^level) and a 1×1 convolution; key `Conv_0`."""

    def __init__(self, source: int, target: int, features: int) -> None:
        super().__init__()
        self.source, self.target = source, target
        self.Conv_0 = nn.Linear(features << source, features << target)
        if source < target:
            self.register_buffer("kernel", _triangle(1 << target - source), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.source < self.target:
            y: Tensor = self.Conv_0(_shrink(x, self.get_buffer("kernel")))
            return y
        x = self.Conv_0(x)  # before enlarging, which is the same and a fraction of the work
        if self.source == self.target:
            return x
        factor = 1 << self.source - self.target
        return F.interpolate(x.permute(0, 3, 1, 2), scale_factor=factor, mode="bilinear").permute(0, 2, 3, 1)


def _triangle(factor: int) -> Tensor:
    """(1, 1, 2f, 2f) weights of JAX's bilinear shrinking by `factor`, which widens the triangle against aliasing."""
    half = torch.arange(1, 2 * factor, 2)
    weights = torch.cat([half, half.flip(0)]) / (2 * factor**2)
    return (weights[:, None] * weights[None, :])[None, None]


def _shrink(x: Tensor, kernel: Tensor) -> Tensor:
    """Weights that fall outside the picture, an eighth of the sum, are shared out among the others."""
    c, factor = int(x.shape[-1]), int(kernel.shape[-1]) // 2
    weights = kernel.expand(c, 1, -1, -1)
    y = F.conv2d(x.permute(0, 3, 1, 2), weights, stride=factor, padding=factor // 2, groups=c).permute(0, 2, 3, 1)
    rows, columns = _edges(int(y.shape[1]), y), _edges(int(y.shape[2]), y)
    return y * rows[:, None, None] * columns[:, None]


def _edges(length: int, like: Tensor) -> Tensor:
    factors = np.ones(length, np.float32)
    factors[[0, -1]] = 8 / 7
    return torch.from_numpy(factors).to(like)


def nearest(x: Tensor, factor: int) -> Tensor:
    """(N, C, H, W) shrunk by nearest neighbour: of an even number of pixels the one after the middle."""
    middle = factor // 2
    # Pooling one pixel: every second (or fourth) of them, in an operator that every engine has.
    return x if factor == 1 else F.max_pool2d(x[:, :, middle:, middle:], 1, factor)
