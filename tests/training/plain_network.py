"""A network without batch statistics: several processes must train it exactly as one does."""

import torch
from torch import Tensor, nn


class PlainNetwork(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU()
        )
        self.head = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.clamp(x + self.head(self.body(x)), 0, 1)

    def bottleneck(self) -> nn.Module:
        return self.body
