"""SRCNN: three convolutions on the luminance of a picture that was enlarged before.

Dong, Loy, He, Tang: "Learning a Deep Convolutional Network for Image Super-Resolution", ECCV 2014. The authors
published Matlab weights; parameter names are those of the usual PyTorch port (`conv1`, `conv2`, `conv3`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from exporter.generators.blocks.luminance import Luminance, change_luminance


class SRCNN(nn.Module):
    """(N, 3, H, W) RGB in 0..1, already enlarged bicubically, to the same size; only luminance changes."""

    def __init__(self, widths: tuple[int, int] = (64, 32), kernels: tuple[int, int, int] = (9, 1, 5)) -> None:
        super().__init__()
        first, second = widths
        self.conv1 = nn.Conv2d(1, first, kernels[0], padding=kernels[0] // 2)
        self.conv2 = nn.Conv2d(first, second, kernels[1], padding=kernels[1] // 2)
        self.conv3 = nn.Conv2d(second, 1, kernels[2], padding=kernels[2] // 2)
        self.luminance = Luminance()

    def forward(self, x: Tensor) -> Tensor:
        before = self.luminance(x)
        after = self.conv3(F.relu(self.conv2(F.relu(self.conv1(before)))))
        return torch.clamp(change_luminance(x, before, after), 0, 1)

    @staticmethod
    def kwargs_from_state(state: Mapping[str, Tensor]) -> dict[str, Any]:
        layers = [state[f"conv{i}.weight"] for i in (1, 2, 3)]
        if layers[0].shape[1] != 1:
            raise ValueError(f"conv1.weight takes {layers[0].shape[1]} channels, not luminance alone")
        return {
            "widths": (layers[0].shape[0], layers[1].shape[0]),
            "kernels": tuple(layer.shape[-1] for layer in layers),
        }
