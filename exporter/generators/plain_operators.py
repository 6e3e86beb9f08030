"""PyTorch functions that the tracing exporter does not know, in those it knows.

While `Plain` is entered, a call of one of them is answered by a function of this file, however it is spelled: as a
function, a method, or inside a module. Sizes are those of the picture at hand, as everything is that tracing writes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from exporter.generators.plain_constants import computed_apart
from exporter.generators.plain_orders import ORDERS, Extremes
from exporter.generators.plain_sampling import SAMPLING
from exporter.generators.plain_sizes import SIZES, shape_of


class Plain(TorchFunctionMode):
    """Answers what tracing has no word for."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if (known := computed_apart(func, args, kwargs)) is not NotImplemented:
            return known
        plain = TRANSPOSED.get(func) or PLAIN.get(getattr(func, "__name__", ""))
        if plain is None:
            return func(*args, **kwargs)
        with self:  # what it calls may be one of them
            made = plain(*args, **kwargs)
        return func(*args, **kwargs) if made is NotImplemented else made


def _fraction(x: Tensor) -> Tensor:
    return x - _truncated(x)


def _truncated(x: Tensor) -> Tensor:
    return torch.sign(x) * torch.floor(torch.abs(x))


def _heaviside(x: Tensor, values: Tensor) -> Tensor:
    return torch.where(x == 0, values, (x > 0).to(x.dtype))


def _with_sign(x: Tensor, y: Any) -> Tensor:
    y = y if isinstance(y, Tensor) else torch.full((), float(y))
    return torch.where(y < 0, -torch.abs(x), torch.abs(x))


def _sinc(x: Tensor) -> Tensor:
    y = math.pi * torch.where(x == 0, torch.ones_like(x), x)
    return torch.where(x == 0, torch.ones_like(x), torch.sin(y) / y)


def _log_of_exponentials(x: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(x, y) + torch.log(1 + torch.exp(-torch.abs(x - y)))


def _close(x: Tensor, y: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    return NotImplemented if equal_nan else torch.abs(x - y) <= atol + rtol * torch.abs(y)


def _threshold(x: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    return torch.where(x > threshold, x, torch.full((), float(value)))


def _running(combine: Callable[[Tensor, Tensor], Tensor], nothing: float | None) -> Callable[[Tensor, int], Tensor]:
    """In as many steps as the length has bits; without a number that changes `nothing`, a row is combined with itself.

    Hillis and Steele, "Data parallel algorithms", 1986.
    """

    def running(x: Tensor, dim: int) -> Tensor:
        length, step = shape_of(x)[dim], 1
        while step < length:
            first = x.narrow(dim, 0, step)
            filler = first if nothing is None else torch.full_like(first, nothing)
            before = torch.cat([filler, x.narrow(dim, 0, length - step)], dim)
            x, step = combine(x, before), 2 * step
        return x

    return running


_running_product = _running(torch.mul, 1.0)


def _running_extreme(combine: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Any]:
    run, last = _running(combine, None), _running(torch.maximum, None)

    def extreme(x: Tensor, dim: int) -> Any:
        values = run(x, dim)
        shape = [-1 if axis == dim % x.dim() else 1 for axis in range(x.dim())]
        places = torch.arange(shape_of(x)[dim], dtype=x.dtype).reshape(shape)
        return Extremes(values, last((x == values).to(x.dtype) * places, dim).long())

    return extreme


def _differences(x: Tensor, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Any:
    if prepend is not None or append is not None:
        return NotImplemented
    for _ in range(n):
        x = x.narrow(dim, 1, shape_of(x)[dim] - 1) - x.narrow(dim, 0, shape_of(x)[dim] - 1)
    return x


def _taken_along(x: Tensor, indices: Tensor, dim: int | None = None) -> Any:
    if dim is None:
        return NotImplemented
    sizes = [max(a, b) for a, b in zip(shape_of(x), shape_of(indices), strict=True)]
    sizes[dim] = -1
    return torch.gather(
        x.expand([-1 if a == dim % x.dim() else n for a, n in enumerate(sizes)]),
        dim,
        indices.expand([shape_of(indices)[dim] if a == dim % x.dim() else n for a, n in enumerate(sizes)]),
    )


def _moved(x: Tensor, source: Any, destination: Any) -> Tensor:
    pairs = [(source, destination)] if isinstance(source, int) else zip(source, destination, strict=True)
    placed = {to % x.dim(): axis % x.dim() for axis, to in pairs}
    rest = iter(axis for axis in range(x.dim()) if axis not in placed.values())
    return x.permute([placed[place] if place in placed else next(rest) for place in range(x.dim())])


def _tiled(x: Tensor, *dims: Any) -> Tensor:
    times = list(dims[0]) if len(dims) == 1 and not isinstance(dims[0], int) else list(dims)
    return x.repeat([1] * (x.dim() - len(times)) + times)


def _part_replaced(x: Tensor, part: Tensor, dim: int, start: int) -> Tensor:
    start %= shape_of(x)[dim]
    end = start + shape_of(part)[dim]
    return torch.cat([x.narrow(dim, 0, start), part, x.narrow(dim, end, shape_of(x)[dim] - end)], dim)


def _slice_replaced(x: Tensor, src: Tensor, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    first, last, _ = slice(start, end).indices(shape_of(x)[dim])
    return _part_replaced(x, src, dim, first) if step == 1 and last > first else NotImplemented


def _turned(x: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    k %= 4
    if k == 2:
        return torch.flip(x, tuple(dims))
    if k == 1:
        return torch.flip(x, (dims[1],)).transpose(*dims)
    return torch.flip(x.transpose(*dims), (dims[1],)) if k == 3 else x


def _shuffled(x: Tensor, groups: int) -> Tensor:
    batch, channels, *space = shape_of(x)
    return x.reshape(batch, groups, channels // groups, *space).transpose(1, 2).reshape(shape_of(x))


TRANSPOSED: dict[Any, Callable[[Tensor], Tensor]] = {
    torch.Tensor.mT.__get__: lambda x: x.transpose(-2, -1)  # type: ignore[attr-defined]
}
PLAIN: dict[str, Callable[..., Any]] = {
    **SIZES,
    **SAMPLING,
    **ORDERS,
    "exp2": lambda x: torch.exp(x * math.log(2)),
    "expm1": lambda x: torch.exp(x) - 1,
    "sinh": lambda x: (torch.exp(x) - torch.exp(-x)) / 2,
    "cosh": lambda x: (torch.exp(x) + torch.exp(-x)) / 2,
    "asinh": lambda x: torch.sign(x) * torch.log(torch.abs(x) + torch.sqrt(x * x + 1)),
    "acosh": lambda x: torch.log(x + torch.sqrt(x * x - 1)),
    "atanh": lambda x: torch.log((1 + x) / (1 - x)) / 2,
    "hypot": lambda x, y: torch.sqrt(x * x + y * y),
    "erfc": lambda x: 1 - torch.erf(x),
    "trunc": _truncated,
    "fix": _truncated,
    "frac": _fraction,
    "addcdiv": lambda x, a, b, *, value=1: x + value * a / b,
    "heaviside": _heaviside,
    "fmax": lambda x, y: torch.maximum(x, y),
    "fmin": lambda x, y: torch.minimum(x, y),
    "sinc": _sinc,
    "copysign": _with_sign,
    "logaddexp": _log_of_exponentials,
    "isclose": _close,
    "_threshold": _threshold,
    "threshold": _threshold,
    "cumprod": lambda x, dim: _running_product(x, dim),
    "cummax": _running_extreme(torch.maximum),
    "cummin": _running_extreme(torch.minimum),
    "diff": _differences,
    "movedim": _moved,
    "moveaxis": _moved,
    "tile": _tiled,
    "select_scatter": lambda x, src, dim, index: _part_replaced(x, src.unsqueeze(dim), dim, index),
    "slice_scatter": _slice_replaced,
    "take_along_dim": _taken_along,
    "rot90": _turned,
    "channel_shuffle": _shuffled,
}
