"""Orders and extremes that the tracing exporter does not know, in sorts and sums that it knows."""

from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from exporter.generators.plain_sizes import shape_of

Extremes = namedtuple("Extremes", ["values", "indices"])


def _sorted(x: Tensor, *place: Any, stable: bool | None = None, dim: int = -1, descending: bool = False) -> Any:
    """Where equals keep their order: those of one number are one number."""
    return torch.sort(x, dim, descending) if stable is not None and not place else NotImplemented


def _kth(x: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    found = [t.narrow(dim, k - 1, 1) for t in torch.sort(x, dim)]
    return Extremes(*(found if keepdim else [t.squeeze(dim) for t in found]))


def _median(x: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """Of an even number the lower one."""
    if dim is None:
        return _median(x.reshape(-1), 0)[0]
    return _kth(x, (shape_of(x)[dim] + 1) // 2, dim, keepdim)


def _quantile(
    x: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Any:
    """One share of the sorted numbers, between its two neighbours."""
    if interpolation != "linear" or (isinstance(q, Tensor) and q.dim() > 0) or (dim is None and keepdim):
        return NotImplemented
    if dim is None:
        x, dim = x.reshape(-1), 0
    place = float(q) * (shape_of(x)[dim] - 1)
    ordered, low = torch.sort(x, dim)[0], math.floor(place)
    below, above = (ordered.narrow(dim, n, 1) for n in (low, math.ceil(place)))
    made = below + (above - below) * (place - low)
    return made if keepdim else made.squeeze(dim)


def _place_among(edges: Tensor, x: Tensor, *, right: bool = False, **_: Any) -> Any:
    """How many of the edges lie before each number."""
    if not isinstance(x, Tensor) or edges.dim() != 1:
        return NotImplemented
    before = edges <= x.unsqueeze(-1) if right else edges < x.unsqueeze(-1)
    return before.to(x.dtype).sum(-1).long()


ORDERS: dict[str, Callable[..., Any]] = {
    "sort": _sorted,
    "kthvalue": _kth,
    "median": _median,
    "quantile": _quantile,
    "searchsorted": _place_among,
    "bucketize": lambda x, edges, *, right=False, **_: _place_among(edges, x, right=right),
}
