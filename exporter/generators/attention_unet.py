"""Attention U-Net: a five-level U-net whose skips are weighted by a gate from the level below.

Oktay et al.: "Attention U-Net: Learning Where to Look for the Pancreas", MIDL 2018. There are no official restoration
weights; parameter names are those of the usual PyTorch port (`Conv1.conv.0`, `Up5.up.1`, `Att5.W_g.0`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _Double(nn.Module):
    """Twice convolution, batch norm, ReLU; key `conv.N`."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels in (inputs, outputs):
            layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        self.conv = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return y


class _Up(nn.Module):
    """Nearest ×2, convolution, batch norm, ReLU; keys `up.1`, `up.2`."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.up = nn.Sequential(nn.Upsample(scale_factor=2), conv, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.up(x)
        return y


class _Gate(nn.Module):
    """A sigmoid weight per pixel of the skip, from the skip and the level below."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.W_g = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.BatchNorm2d(hidden))
        self.W_x = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.BatchNorm2d(hidden))
        self.psi = nn.Sequential(nn.Conv2d(hidden, 1, 1), nn.BatchNorm2d(1), nn.Sigmoid())

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        weight: Tensor = self.psi(F.relu(self.W_g(below) + self.W_x(skip)))
        return skip * weight


class AttentionUNet(nn.Module):
    """(N, 3, H, W) RGB in 0..1 to the same; H and W multiples of 16.

    residual  whether the network was trained to give a correction that is added to the picture
    """

    def __init__(self, width: int = 64, residual: bool = False) -> None:
        super().__init__()
        self.residual = residual
        widths = [width << i for i in range(5)]
        for i, (inputs, outputs) in enumerate(zip([3, *widths], widths, strict=False), 1):
            self.add_module(f"Conv{i}", _Double(inputs, outputs))
        for i in (5, 4, 3, 2):
            deep, flat = widths[i - 1], widths[i - 2]
            self.add_module(f"Up{i}", _Up(deep, flat))
            self.add_module(f"Att{i}", _Gate(flat, flat // 2))
            self.add_module(f"Up_conv{i}", _Double(deep, flat))
        self.Conv_1x1 = nn.Conv2d(width, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        part = self.get_submodule
        maps = [part("Conv1")(x)]
        for i in (2, 3, 4, 5):
            maps.append(part(f"Conv{i}")(F.max_pool2d(maps[-1], 2)))
        y = maps.pop()
        for i in (5, 4, 3, 2):
            up = part(f"Up{i}")(y)
            y = part(f"Up_conv{i}")(torch.cat([part(f"Att{i}")(up, maps.pop()), up], 1))
        y = self.Conv_1x1(y)
        return torch.clamp(x + y if self.residual else y, 0, 1)

    def bottleneck(self) -> nn.Module:
        """The layer whose output distillation may imitate: the deepest map, 1/16."""
        return self.get_submodule("Conv5")

    @staticmethod
    def kwargs_from_state(state: Mapping[str, Tensor]) -> dict[str, Any]:
        first = state["Conv1.conv.0.weight"]
        if first.shape[1] != 3 or state["Conv_1x1.weight"].shape[0] != 3:
            raise ValueError(
                f"it maps {first.shape[1]} to {state['Conv_1x1.weight'].shape[0]} channels, not RGB to RGB"
            )
        return {"width": first.shape[0]}
