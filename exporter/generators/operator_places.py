"""Where a network calls a PyTorch operator: the module, and the line of the user's code; for sentences about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from exporter.generators.network_file import bare
from exporter.generators.users_code import FAILS_WITH, line_at_work, place_of


@dataclass(frozen=True, slots=True)
class Place:
    """A call of `operator` in the forward of the module at `path`, "" for the network itself, of class `kind`."""

    operator: str
    path: str
    kind: str
    line: str = ""  # `net.py:12: y = torch.svd(x)`

    def __str__(self) -> str:
        where = self.path or "the forward of the network itself"
        return f"{where} ({', '.join(filter(None, (self.kind, self.line)))})"


def first_call(network: nn.Module, x: Tensor, is_wanted: Callable[[str], bool]) -> Place | None:
    """The first call of an operator whose name `is_wanted` while `network` runs on `x`; None without one.

    Names are those of PyTorch's functions, `fft_rfft2`, and of its kernels, `fft_r2c`.
    """
    found: list[Place] = []
    with modules_noted(network) as modules:

        def note(name: str) -> None:
            if not found and is_wanted(name):
                found.append(modules.place(name, line_at_work()))

        try:
            with torch.no_grad(), _functions(note), _dispatched(note):
                network(x.clone())
        except FAILS_WITH:  # it has said enough elsewhere
            pass
    return found[0] if found else None


def named(operator: str) -> Callable[[str], bool]:
    """Whether a call is one of `operator`, in whatever spelling."""
    return lambda name: name.strip("_") == operator.strip("_")


class Modules:
    """The modules of a network that are at work, the innermost last; what an error leaves is where it arose."""

    def __init__(self, network: nn.Module) -> None:
        self._stack = [("", type(network).__name__)]

    def enter(self, path: str, module: nn.Module) -> None:
        self._stack.append((path, type(module).__name__))

    def leave(self) -> None:
        self._stack.pop()

    def place(self, operator: str, line: str = "") -> Place:
        return Place(operator, *self._stack[-1], line)

    def place_of_error(self, operator: str, error: BaseException) -> Place:
        return self.place(operator, place_of(error).removeprefix(" (").removesuffix(")"))


@contextmanager
def modules_noted(network: nn.Module) -> Iterator[Modules]:
    """Follows which module is at work while the network, in whatever wrappers, runs."""
    inner = bare(network)
    modules, hooks = Modules(inner), []
    for path, module in inner.named_modules():
        if isinstance(module, torch.jit.ScriptModule):  # takes no hooks of Python's
            continue
        hooks.append(module.register_forward_pre_hook(lambda m, _, path=path: modules.enter(path, m)))
        hooks.append(module.register_forward_hook(lambda *_: modules.leave()))
    try:
        yield modules
    finally:
        for hook in hooks:
            hook.remove()


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
