"""Window attention of SwinIR, Uformer and MobileSR, with no tensor above rank 4 and static sizes.

Maps are (N, H, W, C) here. Liu et al., "Swin Transformer", ICCV 2021.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn


def partition(x: Tensor, side: int) -> Tensor:
    """(N, H, W, C) as (windows, side², C), windows row by row."""
    n, h, w, c = (int(length) for length in x.shape)
    rows = x.reshape(n * h // side, side, w // side, side * c)
    return rows.transpose(1, 2).reshape(-1, side * side, c)


def merge(windows: Tensor, side: int, height: int, width: int) -> Tensor:
    """The reverse of `partition`."""
    c = int(windows.shape[-1])
    rows = windows.reshape(-1, width // side, side, side * c)
    return rows.transpose(1, 2).reshape(-1, height, width, c)


def roll(x: Tensor, shift: int) -> Tensor:
    """Rows and columns moved up and left by `shift` px, cyclically; a negative shift moves them back."""
    for axis in (1, 2):
        length = int(x.shape[axis])
        cut = shift % length
        x = torch.cat([x.narrow(axis, cut, length - cut), x.narrow(axis, 0, cut)], axis)
    return x


def shift_mask(height: int, width: int, side: int, shift: int, like: Tensor) -> Tensor:
    """(windows, 1, side², side²): 0 where two pixels of a rolled window are neighbours in the picture, else -100."""
    return torch.from_numpy(_mask(height, width, side, shift)).to(like)


@lru_cache(maxsize=8)
def _mask(height: int, width: int, side: int, shift: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    def region(length: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        places = np.arange(length)
        return (places >= length - side).astype(np.int64) + (places >= length - shift)

    regions = 3 * region(height)[:, None] + region(width)[None, :]
    grid = regions.reshape(height // side, side, width // side, side).transpose(0, 2, 1, 3).reshape(-1, side * side)
    return np.where(grid[:, :, None] == grid[:, None, :], 0, -100).astype(np.float32)[:, None]


def attend_in_windows(x: Tensor, side: int, shift: int, attention: Callable[[Tensor, Tensor | None], Tensor]) -> Tensor:
    """(N, H, W, C) to the same: `attention(windows, mask)` in windows moved by `shift` px, moved back afterwards."""
    n, height, width = (int(length) for length in x.shape[:3])
    mask = None
    if shift:
        x = roll(x, shift)
        mask = shift_mask(height, width, side, shift, x).repeat(n, 1, 1, 1)
    x = merge(attention(partition(x, side), mask), side, height, width)
    return roll(x, -shift) if shift else x


def relative_position_index(side: int) -> Tensor:
    """(side⁴,): which row of the bias table belongs to each pair of pixels of a window."""
    rows, columns = np.divmod(np.arange(side * side), side)
    down = rows[:, None] - rows[None, :] + side - 1
    right = columns[:, None] - columns[None, :] + side - 1
    return torch.from_numpy((down * (2 * side - 1) + right).reshape(-1))


class PositionBias(nn.Module):
    """Base of a window attention with the learned table `relative_position_bias_table`."""

    def __init__(self, side: int, heads: int) -> None:
        super().__init__()
        self.side, self.heads = side, heads
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * side - 1) ** 2, heads))
        self.register_buffer("pairs", relative_position_index(side), persistent=False)

    def bias(self) -> Tensor:
        """(1, heads, side², side²)."""
        pairs = self.get_buffer("pairs")
        area = self.side**2
        return self.relative_position_bias_table[pairs].reshape(1, area, area, self.heads).permute(0, 3, 1, 2)


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(windows, pixels, C) as (windows, heads, pixels, C / heads)."""
    windows, pixels, c = (int(length) for length in x.shape)
    return x.reshape(windows, pixels, heads, c // heads).transpose(1, 2)


def attend(q: Tensor, k: Tensor, v: Tensor, scale: float, bias: Tensor | None = None) -> Tensor:
    """Softmax attention of (windows, heads, pixels, d) as (windows, pixels, heads · d)."""
    scores = (q * scale) @ k.transpose(-2, -1)
    if bias is not None:
        scores = scores + bias
    y = scores.softmax(-1) @ v
    windows, heads, pixels, d = (int(length) for length in y.shape)
    return y.transpose(1, 2).reshape(windows, pixels, heads * d)
