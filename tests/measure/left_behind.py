"""Two networks: one holds an operator that neither XNNPACK nor a GPU takes, the other the same without it."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Clamp(nn.Module):
    """In a float file RELU_0_TO_1."""

    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(0, 1)


class Left(nn.Module):
    def __init__(self, middle: Any = Clamp) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), middle(), nn.Conv2d(8, 3, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Taken(Left):
    def __init__(self) -> None:
        super().__init__(nn.ReLU)
