"""Pools, resizes and foldings that the tracing exporter does not know, as products with constants and as selections."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from exporter.generators.antialias import antialias_weights


def shape_of(x: Tensor) -> list[int]:
    """As numbers: tracing would write down how a size was computed."""
    return [int(side) for side in x.shape]


def _windows(size: int, count: int) -> list[tuple[int, int]]:
    """From and to of each window of an adaptive pool."""
    return [(n * size // count, -(-(n + 1) * size // count)) for n in range(count)]


def _sizes(x: Tensor, wanted: Any, rank: int) -> list[int]:
    is_one = wanted is None or isinstance(wanted, int | Tensor)  # tracing makes a tensor of a size that is computed
    named = [wanted] * rank if is_one else list(wanted)
    return [before if after is None else int(after) for before, after in zip(shape_of(x)[-rank:], named, strict=True)]


def _is_one_pixel(size: Any) -> bool:
    """What every exporter knows, whatever it is made from."""
    return all(isinstance(n, int) and n == 1 for n in (size if isinstance(size, tuple | list) else [size]))


def _adaptive_mean(rank: int) -> Callable[..., Any]:
    """Where the sizes do not divide: products with the share that each row has in each mean."""

    def mean(x: Tensor, output_size: Any) -> Any:
        if _is_one_pixel(output_size):
            return NotImplemented
        sizes = _sizes(x, output_size, rank)
        if all(before % after == 0 for before, after in zip(shape_of(x)[-rank:], sizes, strict=True)):
            return NotImplemented
        for place, after in enumerate(sizes, -rank):
            before = shape_of(x)[place]
            if before == after:
                continue
            shares = np.zeros((before, after), np.float32)
            for column, (start, end) in enumerate(_windows(before, after)):
                shares[start:end, column] = 1 / (end - start)
            x = _multiplied(x, place, shares)
        return x

    return mean


def _multiplied(x: Tensor, place: int, weights: np.ndarray[Any, Any]) -> Tensor:
    """One axis, counted from behind, times (in, out) weights."""
    matrix = torch.from_numpy(np.ascontiguousarray(weights))
    return x @ matrix if place == -1 else (x.transpose(place, -1) @ matrix).transpose(place, -1)


def _adaptive_largest(rank: int) -> Callable[..., Any]:
    def largest(x: Tensor, output_size: Any, return_indices: bool = False) -> Any:
        if _is_one_pixel(output_size):
            return NotImplemented
        sizes = _sizes(x, output_size, rank)
        if return_indices or all(a % b == 0 for a, b in zip(shape_of(x)[-rank:], sizes, strict=True)):
            return NotImplemented
        for place, after in enumerate(sizes, -rank):
            parts = [x.narrow(place, start, end - start) for start, end in _windows(shape_of(x)[place], after)]
            x = torch.cat([torch.amax(part, place, keepdim=True) for part in parts], place)
        return x

    return largest


def _interpolated(
    x: Tensor, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None, antialias: bool = False,
) -> Any:  # fmt: skip
    rank = x.dim() - 2
    if not antialias and mode not in ("area", "nearest", "nearest-exact"):
        return NotImplemented
    factors = [scale_factor] * rank if isinstance(scale_factor, (int, float)) else scale_factor
    before = shape_of(x)[2:]
    if size is None and scale_factor is None:
        return NotImplemented
    if size is None:
        after = [math.floor(n * float(factor)) for n, factor in zip(before, factors, strict=True)]
    else:
        after, factors = _sizes(x, size, rank), None
    if mode == "area":
        return _AREA[rank](x, after)
    if recompute_scale_factor:
        factors = None
    known = factors or [None] * rank
    sides = list(zip(before, after, known, strict=True))
    if antialias:
        for place, (n, m, factor) in enumerate(sides, -rank):
            if n != m or factor not in (None, 1):
                x = _multiplied(x, place, antialias_weights(mode, n, m, factor, bool(align_corners)))
        return x
    places = [_nearest(mode, n, m, factor) for n, m, factor in sides]
    if mode == "nearest" and all(_is_told_alike(p, *side) for p, side in zip(places, sides, strict=True)):
        return NotImplemented
    if all(
        m % n == 0 and np.array_equal(p, np.arange(m) // (m // n)) for p, (n, m, _) in zip(places, sides, strict=True)
    ):
        return F.interpolate(x, size=after, mode="nearest")
    for axis, rows in enumerate(places, 2):
        x = x.index_select(axis, torch.from_numpy(rows))
    return x


def _nearest(mode: str, before: int, after: int, factor: float | None) -> np.ndarray[Any, Any]:
    """The places that PyTorch takes, in its own float32."""
    scale = np.float32(1 / float(factor)) if factor else np.float32(before) / np.float32(after)
    start = np.arange(after, dtype=np.float32) + np.float32(0.5 if mode == "nearest-exact" else 0)
    return np.asarray(np.minimum(np.floor(start * scale), before - 1), np.int64)


def _is_told_alike(places: np.ndarray[Any, Any], before: int, after: int, factor: float | None) -> bool:
    """Whether ONNX, which divides by a rounded scale, finds the same places."""
    scale = np.float32(factor or after / before)
    found = np.floor(np.arange(after, dtype=np.float32) / scale)
    return bool(np.array_equal(places, np.minimum(found, before - 1)))


def _mean_pool(
    x: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Any:  # fmt: skip
    """A sum over another number than the window's, on zeros that are there."""
    kernel, stride, padding = (
        (value, value) if isinstance(value, int) else tuple(value)
        for value in (kernel_size, stride or kernel_size, padding)
    )
    if divisor_override is None or ceil_mode:
        return NotImplemented
    if any(padding):
        x = F.pad(x, (padding[-1], padding[-1], padding[0], padding[0]))
    return F.avg_pool2d(x, kernel, stride) * (kernel[0] * kernel[-1] / divisor_override)


def _unpooled(x: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
              output_size: Any = None) -> Any:  # fmt: skip
    """Windows side by side: each pixel of one is its number where the number's place is, else nothing."""
    kernel, step, border = (
        (value, value) if isinstance(value, int) else tuple(value)
        for value in (kernel_size, stride or kernel_size, padding)
    )
    height, width = shape_of(x)[-2] * kernel[0], shape_of(x)[-1] * kernel[1]
    wanted = None if output_size is None else list(output_size)[-2:]
    if kernel != step or any(border) or wanted not in (None, [height, width]):
        return NotImplemented
    own = torch.arange(height * width, dtype=x.dtype).reshape(height, width)
    spread = [F.interpolate(t, size=(height, width)) for t in (x, indices.to(x.dtype))]
    return torch.where(spread[1] == own, spread[0], torch.zeros(()))


def _affine_places(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    space = [int(n) for n in size[2:]]
    steps = [np.linspace(-1, 1, n) if align_corners else (2 * np.arange(n) + 1) / n - 1 for n in space]
    places = np.stack([*np.meshgrid(*steps, indexing="ij")[::-1], np.ones(space)], -1).astype(np.float32)
    made = torch.from_numpy(places.reshape(1, -1, len(space) + 1)) @ theta.transpose(1, 2)
    return made.reshape(shape_of(theta)[0], *space, len(space))


def _folded(x: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """The sum of overlapping blocks: along each axis a product with zeros and ones."""
    size, kernel, gap, border, step = (
        (int(value), int(value)) if isinstance(value, int) else tuple(int(n) for n in value)
        for value in (output_size, kernel_size, dilation, padding, stride)
    )
    if x.dim() != 3:
        return NotImplemented
    sides = zip(size, border, gap, kernel, step, strict=True)
    counts = [(n + 2 * b - g * (k - 1) - 1) // s + 1 for n, b, g, k, s in sides]
    belongs = []
    for axis in (0, 1):
        place = np.arange(kernel[axis])[:, None] * gap[axis] + np.arange(counts[axis]) * step[axis] - border[axis]
        belongs.append(torch.from_numpy((place.reshape(-1, 1) == np.arange(size[axis])).astype(np.float32)))
    planes = shape_of(x)[0] * shape_of(x)[1] // (kernel[0] * kernel[1])
    apart = x.reshape(planes * kernel[0], kernel[1], counts[0], counts[1]).permute(0, 2, 1, 3)
    rows = apart.reshape(planes, kernel[0] * counts[0], kernel[1] * counts[1]) @ belongs[1]
    made = (rows.transpose(1, 2) @ belongs[0]).transpose(1, 2)
    return made.reshape(shape_of(x)[0], -1, *size)


_AREA = {1: lambda x, n: F.adaptive_avg_pool1d(x, n), 2: lambda x, n: F.adaptive_avg_pool2d(x, n)}
SIZES: dict[str, Callable[..., Any]] = {
    "adaptive_avg_pool1d": _adaptive_mean(1),
    "adaptive_avg_pool2d": _adaptive_mean(2),
    "adaptive_avg_pool3d": _adaptive_mean(3),
    "adaptive_max_pool1d": _adaptive_largest(1),
    "adaptive_max_pool2d": _adaptive_largest(2),
    "interpolate": _interpolated,
    "avg_pool2d": _mean_pool,
    "max_unpool2d": _unpooled,
    "affine_grid": _affine_places,
    "fold": _folded,
}
