"""What a network costs: parameters and multiply-accumulates."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


@dataclass(frozen=True, slots=True)
class Cost:
    """`macs` counts convolutions and matrix products for one picture."""

    parameters: int
    macs: int


def cost_of(network: nn.Module, shape: tuple[int, ...]) -> Cost:
    """Count on a picture of `shape` (1, 3, H, W)."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(shape))
    return Cost(sum(p.numel() for p in network.parameters()), counter.get_total_flops() // 2)
