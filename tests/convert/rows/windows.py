"""Pools and convolutions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.convert.rows.common import Row, grown, numbers


def partial(x: Tensor) -> Tensor:
    untouched, changed = torch.split(x, [6, 2], 1)
    return torch.cat([untouched, F.conv2d(changed, numbers(2, 2, 3, 3), padding=1)], 1)


def dynamic(x: Tensor) -> Tensor:
    """Kernels of the picture's own, one a plane, as dynamic filter networks have them."""
    kernels = F.adaptive_avg_pool2d(x, 3).view(8, 1, 3, 3).softmax(-1)
    return F.conv2d(x, kernels, padding=1, groups=8)


def kernel_a_pixel(x: Tensor) -> Tensor:
    """Kernel prediction: each pixel its own filter."""
    taps = F.conv2d(x, numbers(9, 8, 1, 1)).softmax(1)
    return (F.unfold(x, 3, padding=1).view(1, 8, 9, *x.shape[2:]) * taps[:, None]).sum(2)


def unpooled(x: Tensor) -> Tensor:
    pooled, index = F.max_pool2d(x, 2, return_indices=True)
    return F.max_unpool2d(pooled * 2, index, 2)


POOLS: dict[str, Row] = {
    "mean": lambda x: grown(F.avg_pool2d(x, 2), x),
    "mean, rounded up": lambda x: grown(F.avg_pool2d(x, 3, 2, ceil_mode=True), x),
    "mean of what is there": lambda x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False),
    "mean, rounded up for nothing": lambda x: grown(F.avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False), x),
    "mean with zeros": lambda x: F.avg_pool2d(x, 5, 1, 2),
    "sum of a window": lambda x: F.avg_pool2d(x, 3, 1, 1, divisor_override=1),
    "largest": lambda x: F.max_pool2d(x, 3, 1, 1),
    "largest, dilated": lambda x: F.max_pool2d(F.pad(x, [1] * 4), 3, 1, 1, dilation=2),
    "largest, rounded up": lambda x: grown(F.max_pool2d(x, 3, 2, 1, ceil_mode=True), x),
    "largest, dilated, rounded up": lambda x: grown(
        F.max_pool2d(x, (2, 3), (3, 2), 1, dilation=(1, 2), ceil_mode=True), x
    ),
    "largest, rounded up for nothing": lambda x: grown(F.max_pool2d(x, 1, 3, ceil_mode=True), x),
    "mean of two sizes, rounded up": lambda x: grown(
        F.avg_pool2d(x, (3, 5), (2, 3), (1, 2), ceil_mode=True, count_include_pad=False), x
    ),
    "smallest": lambda x: -F.max_pool2d(-x, 5, 1, 2),
    "largest and back": unpooled,
    "power": lambda x: grown(F.lp_pool2d(x.abs(), 2, 2), x),
    "power three": lambda x: grown(F.lp_pool2d(x.abs() + 0.1, 3, 2), x),
    "mean to one": lambda x: x * F.adaptive_avg_pool2d(x, 1),
    "mean to a divisor": lambda x: grown(F.adaptive_avg_pool2d(x, 4), x),
    "mean to no divisor": lambda x: grown(F.adaptive_avg_pool2d(x, (3, 5)), x),
    "mean to one row": lambda x: x * F.adaptive_avg_pool2d(x, (1, None)),
    "largest to one": lambda x: x * F.adaptive_max_pool2d(x, 1),
    "largest to a divisor": lambda x: grown(F.adaptive_max_pool2d(x, 4), x),
    "largest to no divisor": lambda x: grown(F.adaptive_max_pool2d(x, (3, 5)), x),
    "along a line": lambda x: F.avg_pool1d(x.flatten(2), 3, 1, 1).view_as(x),
    "in a volume": lambda x: F.avg_pool3d(x[:, None], 3, 1, 1)[:, 0],
    "largest in a volume": lambda x: F.max_pool3d(x[:, None], (3, 1, 3), 1, (1, 0, 1))[:, 0],
    "pyramid": lambda x: sum(grown(F.adaptive_avg_pool2d(x, n), x) for n in (1, 2, 3, 6)),
}

CONVOLUTIONS: dict[str, Row] = {
    "plain": lambda x: F.conv2d(x, numbers(8, 8, 3, 3), padding=1),
    "dilated": lambda x: F.conv2d(x, numbers(8, 8, 3, 3), padding=4, dilation=4),
    "same, dilated": lambda x: F.conv2d(x, numbers(8, 8, 3, 3), padding="same", dilation=3),
    "same": lambda x: F.conv2d(x, numbers(8, 8, 4, 4), padding="same"),
    "strided": lambda x: grown(F.conv2d(x, numbers(8, 8, 3, 3), stride=2, padding=1), x),
    "depthwise": lambda x: F.conv2d(x, numbers(8, 1, 7, 7), padding=3, groups=8),
    "in groups": lambda x: F.conv2d(x, numbers(8, 4, 3, 3), padding=1, groups=2),
    "of strips": lambda x: F.conv2d(
        F.conv2d(x, numbers(8, 1, 1, 11), padding=(0, 5), groups=8), numbers(8, 1, 11, 1), padding=(5, 0), groups=8
    ),
    "of one plane": lambda x: F.conv1d(x.mean((2, 3))[:, None], numbers(1, 1, 3), padding=1).view(1, 8, 1, 1) * x,
    "of a volume": lambda x: F.conv3d(x[:, None], numbers(1, 1, 3, 3, 3), padding=1)[:, 0],
    "of a volume, to planes": lambda x: F.conv3d(
        x.view(1, 2, 4, *x.shape[2:]), numbers(2, 2, 3, 3, 3), padding=1
    ).reshape(x.shape),
    "transposed": lambda x: F.conv_transpose2d(x, numbers(8, 8, 4, 4), stride=2, padding=1)[:, :, ::2, 1::2],
    "transposed in groups": lambda x: F.conv_transpose2d(x, numbers(8, 4, 2, 2), stride=2, groups=2)[:, :, ::2, ::2],
    "transposed with a rest": lambda x: F.conv_transpose2d(
        F.avg_pool2d(x, 2), numbers(8, 8, 3, 3), stride=2, padding=1, output_padding=1
    ),
    "transposed, dilated": lambda x: F.conv_transpose2d(x, numbers(8, 8, 3, 3), padding=2, dilation=2),
    "transposed in a volume": lambda x: F.conv_transpose3d(x[:, None], numbers(1, 1, 3, 3, 3), padding=1)[:, 0],
    "of the picture's own": dynamic,
    "of the picture's own, all planes": lambda x: F.conv2d(
        x, F.adaptive_avg_pool2d(x, 1).view(8, 1, 1, 1) * numbers(8, 8, 3, 3), padding=1
    ),
    "modulated": lambda x: F.conv2d(x, numbers(8, 8, 3, 3) * x.mean((2, 3)).view(1, 8, 1, 1) / 3, padding=1),
    "of each pixel": kernel_a_pixel,
    "partial": partial,
    "blurred": lambda x: F.conv2d(
        F.pad(x, [1] * 4, "reflect"),
        torch.outer(torch.tensor([1.0, 2, 1]), torch.tensor([1.0, 2, 1])).repeat(8, 1, 1, 1) / 16,
        groups=8,
    ),
    "bilinear of two": lambda x: F.bilinear(x.permute(0, 2, 3, 1), x.permute(0, 2, 3, 1), numbers(8, 8, 8)).permute(
        0, 3, 1, 2
    ),
    "linear": lambda x: F.linear(x.permute(0, 2, 3, 1), numbers(8, 8), numbers(8)).permute(0, 3, 1, 2),
    "linear of a row": lambda x: F.linear(x, numbers(x.shape[3], x.shape[3])) / 4,
    "large kernel by parts": lambda x: (
        x
        * F.conv2d(
            F.conv2d(x, numbers(8, 1, 5, 5), padding=2, groups=8), numbers(8, 1, 7, 7), padding=9, groups=8, dilation=3
        )
    ),
}
