"""Values of pixels that a network's code asks for (`if x.mean() > 50`, `x.item()`): does its picture hang on them?"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

READ = "aten._local_scalar_dense.default"
MOST_READS = 10_000  # a loop that waits for another answer would never end


class Answers(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While it is entered, every question of yes or no is answered by `answer`, and every number is another one."""

    def __init__(self, answer: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._answer, self._reads = answer, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if str(func) != READ:
            return func(*args, **(kwargs or {}))
        self._reads += 1
        if self._reads > MOST_READS:
            raise RuntimeError("it asks for pixel values without end")
        if args[0].dtype == torch.bool:
            return self._answer
        number = 7.0 if self._answer else 3.0
        return number if args[0].is_floating_point() else int(number)


def values_matter(network: nn.Module, shape: tuple[int, ...]) -> bool:
    """Whether `network` gives another picture, or none, when it is told other values than those it asks for."""
    picture = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        right = network(picture)
        for answer in (True, False):
            try:
                with Answers(answer):
                    told = network(picture)
            except Exception:  # whatever the network's code does about such a value
                return True
            if not (isinstance(told, Tensor) and isinstance(right, Tensor) and torch.equal(told, right)):
                return True
    return False
