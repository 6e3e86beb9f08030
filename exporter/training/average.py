"""Exponential moving average of weights: what is validated and shipped."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class MovingAverage:
    """A copy of a network whose weights follow slowly; early steps follow faster so that the start is forgotten."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval()
        self.network.requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Follow `network` after `step` (from 0)."""
        decay = min(self._decay, (1 + step) / (10 + step))
        ours, theirs = self.network.state_dict(), network.state_dict()
        for key, value in ours.items():
            _follow(value, theirs[key], decay)


def _follow(value: Tensor, target: Tensor, decay: float) -> None:
    if value.is_floating_point():
        value.lerp_(target, 1 - decay)
    else:
        value.copy_(target)
