"""A multi-scale enhancer: parallel branches with 3×3, 5×5 and 7×7 convolutions, fused into a correction.

The idea of parallel receptive fields is that of Szegedy et al., "Going Deeper with Convolutions", CVPR 2015. There
are no official weights: this is the small enhancement network of tutorials, padded so that branches keep their size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class MultiScaleEnhancer(nn.Module):
    """(N, 3, H, W) RGB in 0..1 to the same, any size."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.scale1, self.scale2, self.scale3 = (_branch(width, kernel) for kernel in (3, 5, 7))
        self.fusion = nn.Sequential(
            nn.Conv2d(3 * width, width, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, 3, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        maps = torch.cat([self.scale1(x), self.scale2(x), self.scale3(x)], 1)
        return torch.clamp(x + self.fusion(maps), 0, 1)

    @staticmethod
    def kwargs_from_state(state: Mapping[str, Tensor]) -> dict[str, Any]:
        if "fusion.0.weight" not in state:
            raise KeyError("fusion.0.weight")
        return {"width": state["scale1.0.weight"].shape[0]}


def _branch(width: int, kernel: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs in (3, width):
        layers += [nn.Conv2d(inputs, width, kernel, padding=kernel // 2), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
