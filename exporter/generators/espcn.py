"""ESPCN: three convolutions at low resolution and a pixel shuffle, on luminance.

Shi et al.: "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel Convolutional Neural
Network", CVPR 2016. No official weights; parameter names are those of the usual PyTorch ports (`first_part.N`,
`last_part.0`, or `feature_maps.N`, `sub_pixel.0`). Chroma is enlarged bicubically.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from exporter.generators.blocks.luminance import Bicubic, Luminance, change_luminance
from exporter.generators.state_keys import root


class ESPCN(nn.Module):
    """(N, 3, H, W) RGB in 0..1 to (N, 3, scale·H, scale·W), any size."""

    def __init__(self, scale: int = 2, widths: tuple[int, int] = (64, 32), kernel: int = 5) -> None:
        super().__init__()
        first, second = widths
        self.scale = scale
        self.first_part = nn.Sequential(
            nn.Conv2d(1, first, kernel, padding=kernel // 2),
            nn.Tanh(),
            nn.Conv2d(first, second, 3, padding=1),
            nn.Tanh(),
        )
        self.last_part = nn.Sequential(nn.Conv2d(second, scale**2, 3, padding=1), nn.PixelShuffle(scale))
        self.luminance, self.bicubic = Luminance(), Bicubic(scale)

    def forward(self, x: Tensor) -> Tensor:
        enlarged = self.bicubic(x)
        after = self.last_part(self.first_part(self.luminance(x)))
        return torch.clamp(change_luminance(enlarged, self.luminance(enlarged), after), 0, 1)

    @staticmethod
    def official_key(key: str) -> str | None:
        return key.replace("feature_maps.", "first_part.").replace("sub_pixel.", "last_part.")

    @staticmethod
    def kwargs_from_state(state: Mapping[str, Tensor]) -> dict[str, Any]:
        ours = {ESPCN.official_key(key): value for key, value in state.items()}
        first, second = ours["first_part.0.weight"], ours["first_part.2.weight"]
        if first.shape[1] != 1:
            raise ValueError(f"first_part.0.weight takes {first.shape[1]} channels, not luminance alone")
        return {
            "scale": root(ours["last_part.0.weight"].shape[0], "outputs of the last convolution"),
            "widths": (first.shape[0], second.shape[0]),
            "kernel": first.shape[-1],
        }
