"""Values of pixels that a network's code asks for (`if x.mean() > 50`, `x.item()`): does its picture hang on them?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from exporter.failures import explained
from exporter.generators.users_code import FAILS_WITH

READ = "aten._local_scalar_dense.default"
MOST_READS = 10_000  # a loop that waits for another answer would never end
MOST_CHECKS = 64  # each is tried alone


class Answers(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is entered, `answer(n, value)` is what the network is told when it asks for value n (from 0)."""

    def __init__(self, answer: Callable[[int, Tensor], Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._answer, self._reads = answer, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if str(func) != READ:
            return func(*args, **(kwargs or {}))
        self._reads += 1
        if self._reads > MOST_READS:
            raise RuntimeError("it asks for pixel values without end")
        return self._answer(self._reads - 1, args[0])


def always(answer: bool) -> Answers:
    """Every question of yes or no is answered so, and every number is one that no picture gives."""
    return Answers(lambda _, value: answer if value.dtype == torch.bool else _number(value, 1007 if answer else -1003))


def true_answers(network: nn.Module, shape: tuple[int, ...]) -> list[Any] | None:
    """What `network` is told of a picture; None when it gives another picture once it is told anything else.

    Code that then raises was checking its picture: no file does that, and the picture does not hang on it.
    """
    picture = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    asked: list[Any] = []

    def remembered(_: int, value: Tensor) -> Any:
        asked.append(value.tolist())
        return asked[-1]

    with torch.no_grad():
        with Answers(remembered):
            right = network(picture)
        told = [_told(network, picture, always(answer)) for answer in (True, False)]
        if any(made is None for made in told):  # what comes behind the check has not been tried
            if len(asked) > MOST_CHECKS or not all(isinstance(answer, bool) for answer in asked):
                return None
            told = [_told(network, picture, _all_but(n)) for n in range(len(asked))]
    return asked if all(made is None or _is_same(made, right) for made in told) else None


def _all_but(number: int) -> Answers:
    """The truth, save for one question of yes or no."""
    return Answers(lambda n, value: bool(value.tolist()) is not (n == number))


def _told(network: nn.Module, picture: Tensor, answers: Answers) -> Any:
    """What the network makes of it; None when its code raises. What the machine lacks, such as memory, is passed on."""
    try:
        with answers:
            return network(picture)
    except FAILS_WITH as error:  # whatever the network's code does about such a value
        if explained(error):
            raise
        return None


def _is_same(made: Any, right: Any) -> bool:
    return isinstance(made, Tensor) and isinstance(right, Tensor) and torch.equal(made, right)


def _number(value: Tensor, number: int) -> float | int:
    return float(number) if value.is_floating_point() else number
