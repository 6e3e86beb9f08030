"""Exponential moving average of weights: what is validated and shipped."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class MovingAverage:
    """A copy of a network whose weights follow slowly.

    Early steps follow faster, so that a random start is forgotten; not so when the weights were `trained` before:
    the first hundred steps of a warm start are worse than what it began with.
    """

    def __init__(self, network: nn.Module, decay: float, trained: bool = False) -> None:
        self.network = copy.deepcopy(network).eval()
        self.network.requires_grad_(False)
        self._decay = decay
        self._trained = trained

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Follow `network` after `step` (from 0): one call for all weights, which on a GPU is a few launches."""
        decay = self._decay if self._trained else min(self._decay, (1 + step) / (10 + step))
        ours, theirs = self.network.state_dict(), network.state_dict()
        followed = [key for key, value in ours.items() if value.is_floating_point()]
        torch._foreach_lerp_(_values(ours, followed), _values(theirs, followed), 1 - decay)
        for key in ours.keys() - followed:  # counters
            ours[key].copy_(theirs[key])


def _values(state: dict[str, Tensor], keys: list[str]) -> list[Tensor]:
    return [state[key] for key in keys]
