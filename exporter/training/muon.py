"""Muon: momentum whose matrices are made orthogonal before a step, so that every direction of a layer learns alike.

Jordan et al., 2024 (https://kellerjordan.github.io/posts/muon/). Plain stacks of convolutions learn several times as
much a step as by AdamW: recipes/weights/README.md has figures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
# Newton-Schulz steps of the quintic whose slope at 0 is steepest: singular values end between 0.7 and 1.2.
QUINTIC, ITERATIONS = (3.4445, -4.7750, 2.0315), 5
ADAM_SHARE = 0.05  # of the rate, for what is no matrix: biases, norms, depthwise kernels
ADAM_BETAS, ADAM_EPSILON = (0.9, 0.999), 1e-8


class Muon(torch.optim.Optimizer):
    """Weights of layers by orthogonal steps, the rest by AdamW at ADAM_SHARE of the rate; decay is decoupled.

    A group's "share" is what the rate of a schedule is multiplied by.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float) -> None:
        kinds: dict[bool, list[nn.Parameter]] = {True: [], False: []}
        for parameter in parameters:
            kinds[_is_matrix(parameter)].append(parameter)
        groups = [
            {"params": kinds[True], "orthogonal": True, "share": 1.0, "lr": lr},
            {"params": kinds[False], "orthogonal": False, "share": ADAM_SHARE, "lr": lr * ADAM_SHARE},
        ]
        super().__init__([group for group in groups if group["params"]], {"weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        assert closure is None
        for group in self.param_groups:
            move = self._orthogonal if group["orthogonal"] else self._adam
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(move(parameter.grad, self.state[parameter]), alpha=-group["lr"])

    def _orthogonal(self, gradient: Tensor, state: dict[str, Any]) -> Tensor:
        momentum = state.setdefault("momentum", torch.zeros_like(gradient))
        momentum.mul_(MOMENTUM).add_(gradient)
        ahead = gradient.add(momentum, alpha=MOMENTUM).flatten(1)
        rows, columns = ahead.shape
        step: Tensor = orthogonal(ahead) * max(1.0, rows / columns) ** 0.5
        return step.view(gradient.shape)

    def _adam(self, gradient: Tensor, state: dict[str, Any]) -> Tensor:
        if not state:
            state |= {"count": 0, "mean": torch.zeros_like(gradient), "square": torch.zeros_like(gradient)}
        state["count"] += 1
        first, second = ADAM_BETAS
        state["mean"].lerp_(gradient, 1 - first)
        state["square"].lerp_(gradient.square(), 1 - second)
        spread = (state["square"] / (1 - second ** state["count"])).sqrt_().add_(ADAM_EPSILON)
        step: Tensor = state["mean"] / (1 - first ** state["count"]) / spread
        return step


def orthogonal(matrix: Tensor) -> Tensor:
    """Nearly the nearest orthogonal matrix: the same singular vectors, all singular values about 1."""
    is_tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if is_tall else matrix
    x = x / (x.norm() + 1e-7)
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    turned: Tensor = x.T if is_tall else x
    return turned.contiguous()


def _is_matrix(parameter: Tensor) -> bool:
    """Whether every output is made of several inputs: not biases, norms and depthwise kernels."""
    return parameter.ndim >= 2 and parameter.shape[1] > 1
