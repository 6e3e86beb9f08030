"""SRResNet, the generator of SRGAN, and BasicSR's MSRResNet without batch norm.

Ledig et al.: "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network", CVPR 2017. The
authors published TensorFlow code without PyTorch names; parameter names are those of the usual PyTorch
port (`conv1.0`, `trunk.N.rcb.0`, `conv2.0`, `upsampling.N.upsample_block.0`, `conv3`). MSRResNet has BasicSR's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from exporter.generators.state_keys import count, root


class _Block(nn.Module):
    """Convolution, norm, PReLU, convolution, norm; residual. Key `rcb.N`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.rcb = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.PReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.rcb(x)
        return x + y


class _Enlarge(nn.Module):
    def __init__(self, channels: int, step: int) -> None:
        super().__init__()
        conv = nn.Conv2d(channels, step**2 * channels, 3, padding=1)
        self.upsample_block = nn.Sequential(conv, nn.PixelShuffle(step), nn.PReLU())

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.upsample_block(x)
        return y


class _PlainBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv2(F.relu(self.conv1(x)))
        return x + y


class SRResNet(nn.Module):
    """(N, 3, H, W) RGB in 0..1 to (N, 3, scale·H, scale·W), any size. `scale` is 2, 3 or 4.

    layout
        srgan    the paper's: batch norm, PReLU, 9×9 convolutions at both ends
        basicsr  MSRResNet: no norm, leaky ReLU, added to the bilinear enlargement
    """

    def __init__(
        self,
        channels: int = 64,
        num_blocks: int = 16,
        scale: int = 4,
        layout: Literal["srgan", "basicsr"] = "srgan",
    ) -> None:
        super().__init__()
        if scale not in (2, 3, 4):
            raise ValueError(f"scale is {scale}, not 2, 3 or 4")
        if layout not in ("srgan", "basicsr"):
            raise ValueError(f"layout is {layout!r}, not srgan or basicsr")
        self.scale, self.layout = scale, layout
        self.steps = (3,) if scale == 3 else (2,) * (scale // 2)
        if layout == "srgan":
            self._add_srgan_layers(channels, num_blocks)
        else:
            self._add_basicsr_layers(channels, num_blocks)

    def _add_srgan_layers(self, channels: int, num_blocks: int) -> None:
        self.conv1 = nn.Sequential(nn.Conv2d(3, channels, 9, padding=4), nn.PReLU())
        self.trunk = nn.Sequential(*(_Block(channels) for _ in range(num_blocks)))
        last = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.conv2 = nn.Sequential(last, nn.BatchNorm2d(channels))
        self.upsampling = nn.Sequential(*(_Enlarge(channels, step) for step in self.steps))
        self.conv3 = nn.Conv2d(channels, 3, 9, padding=4)

    def _add_basicsr_layers(self, channels: int, num_blocks: int) -> None:
        self.conv_first = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.Sequential(*(_PlainBlock(channels) for _ in range(num_blocks)))
        for i, step in enumerate(self.steps, 1):
            self.add_module(f"upconv{i}", nn.Conv2d(channels, channels * step**2, 3, padding=1))
        self.conv_hr = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_last = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.clamp(self._srgan(x) if self.layout == "srgan" else self._basicsr(x), 0, 1)

    def _srgan(self, x: Tensor) -> Tensor:
        first = self.conv1(x)
        y: Tensor = self.conv3(self.upsampling(self.conv2(self.trunk(first)) + first))
        return y

    def _basicsr(self, x: Tensor) -> Tensor:
        y = self.body(F.leaky_relu(self.conv_first(x), 0.1))
        for i, step in enumerate(self.steps, 1):
            y = F.leaky_relu(F.pixel_shuffle(self.get_submodule(f"upconv{i}")(y), step), 0.1)
        y = self.conv_last(F.leaky_relu(self.conv_hr(y), 0.1))
        size = (self.scale * int(x.shape[2]), self.scale * int(x.shape[3]))
        enlarged: Tensor = y + F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        return enlarged

    @staticmethod
    def kwargs_from_state(state: Mapping[str, Tensor]) -> dict[str, Any]:
        plain = "upconv1.weight" in state
        first, body = ("upconv1.weight", "body.") if plain else ("upsampling.0.upsample_block.0.weight", "trunk.")
        channels = state[first].shape[1]
        growth = root(state[first].shape[0] // channels, f"outputs per input of {first}")
        steps = 1 + ("upconv2.weight" in state) if plain else count(state, "upsampling.")
        return {
            "channels": channels,
            "num_blocks": count(state, body),
            "scale": growth**steps,
            "layout": "basicsr" if plain else "srgan",
        }
