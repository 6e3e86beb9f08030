"""MIMO-UNet and MIMO-UNet+: one encoder-decoder that reads and restores three scales at once.

Cho, Ji, Hong, Jung, Ko: "Rethinking Coarse-to-Fine Approach in Single Image Deblurring", ICCV 2021. Parameter names
are those of the official `MIMO-UNet.pkl`. Of its three pictures only the full-size one is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from exporter.generators.state_keys import count


class _Conv(nn.Module):
    """A convolution (transposed when `up`) and an optional ReLU; key `main.0`."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, relu: bool = True, up: bool = False):
        super().__init__()
        conv: nn.Module = (
            nn.ConvTranspose2d(inputs, outputs, kernel, stride, kernel // 2 - 1)
            if up
            else nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
        )
        self.main = nn.Sequential(conv, *([nn.ReLU(inplace=True)] if relu else []))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.main(x)
        return y


class _ResBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.main = nn.Sequential(_Conv(channels, channels, 3), _Conv(channels, channels, 3, relu=False))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.main(x)
        return x + y


class _ResBlocks(nn.Module):
    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(_ResBlock(channels) for _ in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x)
        return y


class _Fusion(nn.Module):
    """Asymmetric feature fusion: maps of all three scales, brought to one size, 1×1 and 3×3."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(_Conv(inputs, outputs, 1), _Conv(outputs, outputs, 3, relu=False))

    def forward(self, *maps: Tensor) -> Tensor:
        y: Tensor = self.conv(torch.cat(maps, 1))
        return y


class _Shallow(nn.Module):
    """Features of a reduced picture, the picture itself among them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            _Conv(3, width // 4, 3),
            _Conv(width // 4, width // 2, 1),
            _Conv(width // 2, width // 2, 3),
            _Conv(width // 2, width - 3, 1),
        )
        self.conv = _Conv(width, width, 1, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(torch.cat([x, self.main(x)], 1))
        return y


class _Attention(nn.Module):
    """Feature attention: the product of two maps, convolved, added to the first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.merge = _Conv(channels, channels, 3, relu=False)

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        y: Tensor = self.merge(x * other)
        return x + y


class MIMOUNet(nn.Module):
    """(N, 3, H, W) RGB in 0..1 to the same; H and W multiples of 4. num_res 8 is MIMO-UNet, 20 is MIMO-UNet+."""

    def __init__(self, num_res: int = 8, width: int = 32) -> None:
        super().__init__()
        w = width
        self.Encoder = nn.ModuleList(_ResBlocks(c, num_res) for c in (w, 2 * w, 4 * w))
        self.feat_extract = nn.ModuleList(
            [
                _Conv(3, w, 3),
                _Conv(w, 2 * w, 3, 2),
                _Conv(2 * w, 4 * w, 3, 2),
                _Conv(4 * w, 2 * w, 4, 2, up=True),
                _Conv(2 * w, w, 4, 2, up=True),
                _Conv(w, 3, 3, relu=False),
            ]
        )
        self.Decoder = nn.ModuleList(_ResBlocks(c, num_res) for c in (4 * w, 2 * w, w))
        self.Convs = nn.ModuleList([_Conv(4 * w, 2 * w, 1), _Conv(2 * w, w, 1)])
        self.AFFs = nn.ModuleList([_Fusion(7 * w, w), _Fusion(7 * w, 2 * w)])
        self.FAM1, self.SCM1 = _Attention(4 * w), _Shallow(4 * w)
        self.FAM2, self.SCM2 = _Attention(2 * w), _Shallow(2 * w)

    def forward(self, x: Tensor) -> Tensor:
        half = _half(x)
        e1 = self.Encoder[0](self.feat_extract[0](x))
        e2 = self.Encoder[1](self.FAM2(self.feat_extract[1](e1), self.SCM2(half)))
        e3 = self.Encoder[2](self.FAM1(self.feat_extract[2](e2), self.SCM1(_half(half))))
        e3_at_2 = _twice(e3)
        skip2 = self.AFFs[1](_half(e1), e2, e3_at_2)
        skip1 = self.AFFs[0](e1, _twice(e2), _twice(e3_at_2))
        z = self.feat_extract[3](self.Decoder[0](e3))
        z = self.Decoder[1](self.Convs[0](torch.cat([z, skip2], 1)))
        z = self.feat_extract[4](z)
        z = self.Decoder[2](self.Convs[1](torch.cat([z, skip1], 1)))
        return torch.clamp(self.feat_extract[5](z) + x, 0, 1)

    def bottleneck(self) -> nn.Module:
        """The layer whose output distillation may imitate: the deepest encoder map, 1/4."""
        return self.Encoder[2]

    @staticmethod
    def official_key(key: str) -> str | None:
        """None for the two convolutions that make the smaller pictures, which only training looks at."""
        return None if key.startswith("ConvsOut.") else key

    @staticmethod
    def kwargs_from_state(state: Mapping[str, Tensor]) -> dict[str, Any]:
        return {
            "width": state["feat_extract.0.main.0.weight"].shape[0],
            "num_res": count(state, "Encoder.0.layers."),
        }


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


def _half(x: Tensor) -> Tensor:
    """Every second pixel, as nearest resizing gives it, in an operator that every engine has."""
    return F.max_pool2d(x, 1, 2)
