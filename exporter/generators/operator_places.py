"""Which module of a network calls a PyTorch operator: for sentences about operators that no file format has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from exporter.generators.network_file import bare
from exporter.generators.users_code import FAILS_WITH


def module_that_calls(network: nn.Module, x: Tensor, operator: str) -> str | None:
    """The path of the first module in whose own forward `operator` is called, `fft_rfft2` for instance.

    "" for the network itself; None when it is not called when `network` runs on `x`.
    """
    stack = [""]
    found: list[str] = []

    def note(name: str) -> None:
        if name.strip("_") == operator.strip("_"):
            found.append(stack[-1])

    try:
        with torch.no_grad(), _modules_noted(bare(network), stack), _functions(note), _dispatched(note):
            network(x)
    except FAILS_WITH:  # it has said enough elsewhere
        pass
    return found[0] if found else None


@contextmanager
def _modules_noted(network: nn.Module, stack: list[str]) -> Iterator[None]:
    """`stack` holds the path of every module that is at work."""
    hooks = []
    for name, module in network.named_modules():
        hooks.append(module.register_forward_pre_hook(_push(stack, name)))
        hooks.append(module.register_forward_hook(lambda *_: stack.pop() and None))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _push(stack: list[str], name: str) -> Callable[..., None]:
    return lambda *_: stack.append(name)


def _functions(note: Callable[[str], None]) -> Any:
    class Functions(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            note(getattr(func, "__name__", ""))
            return func(*args, **(kwargs or {}))

    return Functions()


def _dispatched(note: Callable[[str], None]) -> Any:
    class Dispatched(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            note(func.overloadpacket.__name__)
            return func(*args, **(kwargs or {}))

    return Dispatched()  # type: ignore[no-untyped-call]
