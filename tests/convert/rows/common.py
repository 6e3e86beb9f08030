"""What rows are written with."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

Row = Callable[[Tensor], Tensor]


def grown(x: Tensor, like: Tensor) -> Tensor:
    """Back to the size of `like`, nearest neighbours."""
    return F.interpolate(x, size=like.shape[2:])


@cache
def numbers(*shape: int) -> Tensor:
    """Fixed weights between -0.5 and 0.5."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(3)) - 0.5


def places(x: Tensor) -> Tensor:
    """A regular grid, (1, H, W, 2)."""
    rows, columns = torch.linspace(-1, 1, x.shape[2]), torch.linspace(-1, 1, x.shape[3])
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij")[::-1], -1)[None]
