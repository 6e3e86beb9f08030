"""The range of values that the end of a network holds its picture to: by tanh, sigmoid, clamp and sums with numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

Interval = tuple[float, float]
_ENDS: dict[str, Interval] = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0), "hardsigmoid": (0.0, 1.0)}
_MOVES = {"view", "_unsafe_view", "permute", "transpose", "slice", "clone", "detach", "alias", "pixel_shuffle"} | {
    "reshape", "contiguous", "select", "squeeze", "unsqueeze", "_reshape_alias", "as_strided", "_to_copy",
}  # fmt: skip


def output_bounds(network: nn.Module, picture: Tensor) -> Interval | None:
    """The interval that the network's last operators hold its output to, whatever goes in; None without such."""
    seen = _Bounds()
    with torch.no_grad(), seen:
        result = network(picture)
    return seen.of(result)


class _Bounds(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Remembers every tensor whose values cannot leave an interval."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._known: dict[int, tuple[Tensor, Interval]] = {}  # the tensor itself, so that its id stays its own

    def of(self, value: object) -> Interval | None:
        entry = self._known.get(id(value))
        return entry[1] if entry else None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor):
            name = func.overloadpacket.__name__
            if interval := self._after(name.rstrip("_") if name != "_" else name, args, kwargs or {}):
                self._known[id(result)] = (result, interval)
            else:
                self._known.pop(id(result), None)
        return result

    def _after(self, name: str, args: Any, kwargs: Any) -> Interval | None:
        if name in _ENDS:
            return _ENDS[name]
        before = self.of(args[0]) if args else None
        if name in ("clamp", "hardtanh"):
            default = (-1.0, 1.0) if name == "hardtanh" else (None, None)
            given = [*args[1:3], None, None][:2]
            low, high = (
                value if value is not None else kwargs.get(word, fallback)
                for value, word, fallback in zip(given, ("min", "max"), default, strict=True)
            )
            return (float(low), float(high)) if _is_number(low) and _is_number(high) and low < high else None
        if before is None:
            return None
        if name in _MOVES:
            return before
        if name in ("mul", "div", "add", "sub") and len(args) > 1 and _is_number(args[1]) and not kwargs:
            return _moved(name, before, float(args[1]))
        return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _moved(name: str, interval: Interval, by: float) -> Interval | None:
    low, high = interval
    if name in ("add", "sub"):
        by = by if name == "add" else -by
        return low + by, high + by
    factor = by if name == "mul" else 1 / by if by else 0.0
    return (low * factor, high * factor) if factor > 0 else None
