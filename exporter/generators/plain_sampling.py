"""Deformable convolutions, which no exporter knows, as reading at computed places and a plain convolution.

Dai, Qi, Xiong, Li, Zhang, Hu, Wei, "Deformable Convolutional Networks", 2017; with a mask: Zhu, Hu, Lin, Dai, 2019.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from exporter.generators.plain_sizes import shape_of


def _deformed(
    x: Tensor,
    weight: Tensor,
    offset: Tensor,
    mask: Tensor,
    bias: Tensor,
    stride_y: int,
    stride_x: int,
    pad_y: int,
    pad_x: int,
    dilation_y: int,
    dilation_x: int,
    groups: int,
    offset_groups: int,
    use_mask: bool,
) -> Tensor:
    """torchvision's operator; `offset` holds (y, x) for every tap of the kernel, for each of `offset_groups`."""
    (batch, channels, height, width), (outputs, _, rows, columns) = shape_of(x), shape_of(weight)
    (high, wide), taps = shape_of(offset)[2:], rows * columns
    parts = batch * offset_groups
    y_of_tap = torch.arange(rows).repeat_interleave(columns)[:, None, None] * dilation_y - pad_y
    x_of_tap = torch.arange(columns).repeat(rows)[:, None, None] * dilation_x - pad_x
    moves = offset.reshape(parts, taps, 2, high, wide)
    y = moves[:, :, 0] + (y_of_tap + torch.arange(high)[None, :, None] * stride_y).float()
    across = moves[:, :, 1] + (x_of_tap + torch.arange(wide)[None, None, :] * stride_x).float()
    grid = torch.stack([2 * across / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], -1)
    planes = x.reshape(parts, channels // offset_groups, height, width)
    seen = F.grid_sample(planes, grid.reshape(parts, taps * high, wide, 2), align_corners=True)
    seen = seen.reshape(parts, channels // offset_groups, taps, high, wide)
    if use_mask:
        seen = seen * mask.reshape(parts, 1, taps, high, wide)
    return F.conv2d(
        seen.reshape(batch, channels * taps, high, wide), weight.reshape(outputs, -1, 1, 1), bias, groups=groups
    )


SAMPLING: dict[str, Callable[..., Any]] = {"deform_conv2d": _deformed}
