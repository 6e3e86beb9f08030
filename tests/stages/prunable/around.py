"""What the networks of this folder have in common."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv(inputs: int, outputs: int, size: int = 3, **kwargs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, **kwargs)


class Around(nn.Module):
    """A head, a middle of another kind and a tail, on top of the picture."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.z = conv(3, 16), conv(16, 16), conv(16, 3)
        self.build()

    def build(self) -> None: ...

    def middle(self, y: Tensor) -> Tensor:
        return self.b(y)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.z(self.middle(F.relu(self.a(x))))
