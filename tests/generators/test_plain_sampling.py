"""Deformable convolutions in plain operators, beside their definition written out."""

import math

import pytest
import torch
import torch.nn.functional as F

from exporter.generators.plain_operators import PLAIN

deform_conv2d = PLAIN["deform_conv2d"]  # arguments as torchvision hands them to its operator


def pixel(x: torch.Tensor, y: float, across: float) -> torch.Tensor:
    """Between four pixels, nothing around the picture."""
    top, left = math.floor(y), math.floor(across)
    found = torch.zeros(x.shape[0])
    for row, column in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
        if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
            found += x[:, row, column] * (1 - abs(y - row)) * (1 - abs(across - column))
    return found


@pytest.mark.parametrize("use_mask", [True, False])
def test_every_tap_is_read_where_it_was_moved(use_mask: bool) -> None:
    torch.manual_seed(0)
    x, weight, bias = torch.rand(1, 4, 5, 7), torch.randn(2, 4, 3, 1), torch.randn(2)
    offset, mask = 2 * torch.randn(1, 2 * 2 * 3, 3, 7), torch.rand(1, 2 * 3, 3, 7)
    made = deform_conv2d(x, weight, offset, mask, bias, 2, 1, 1, 0, 1, 1, 1, 2, use_mask)
    assert made.shape == (1, 2, 3, 7)
    for row in range(3):
        for column in range(7):
            total = bias.clone()
            for group in range(2):
                for tap in range(3):
                    place = group * 3 + tap
                    y = 2 * row - 1 + tap + float(offset[0, 2 * place, row, column])
                    across = column + float(offset[0, 2 * place + 1, row, column])
                    seen = pixel(x[0, 2 * group : 2 * group + 2], y, across)
                    share = mask[0, place, row, column] if use_mask else 1.0
                    total += share * (weight[:, 2 * group : 2 * group + 2, tap, 0] @ seen)
            torch.testing.assert_close(made[0, :, row, column], total, atol=1e-4, rtol=1e-4)


def test_without_moves_it_is_a_convolution_in_groups() -> None:
    torch.manual_seed(0)
    x, weight, bias = torch.rand(2, 4, 8, 8), torch.randn(4, 2, 3, 3), torch.randn(4)
    nothing = torch.zeros(2, 18, 8, 8)
    made = deform_conv2d(x, weight, nothing, torch.zeros(0), bias, 1, 1, 2, 2, 2, 2, 2, 1, False)
    torch.testing.assert_close(made, F.conv2d(x, weight, bias, padding=2, dilation=2, groups=2), atol=1e-5, rtol=1e-5)
