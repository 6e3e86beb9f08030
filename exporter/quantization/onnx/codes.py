"""int8 codes of what a Q/DQ file stores, with the numbers of ONNX Runtime's own quantizer, bit for bit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.quantization.params import HIGHEST, LOWEST

Array = NDArray[Any]

LARGEST_STEP = float(np.iinfo(np.int32).max)  # of a bias
MARGIN = 1.0001  # what a scale grows by beyond that, so that rounding does not spend it


@dataclass(frozen=True, slots=True)
class StoredCode:
    """`scales` and `zero_points`: one number (no axes), or one for each slice along `axis`."""

    scales: Array
    zero_points: Array
    axis: int | None = None

    def of(self, values: Array) -> Array:
        scales, zeros = (
            numbers if self.axis is None else numbers.reshape([-1 if a == self.axis else 1 for a in range(values.ndim)])
            for numbers in (self.scales, self.zero_points)
        )
        limits = np.iinfo(self.zero_points.dtype)
        steps = (values.astype(np.float32) / scales).round() + zeros
        return np.asarray(np.clip(steps, limits.min, limits.max), self.zero_points.dtype)


def symmetric(weights: Array, axis: int | None) -> StoredCode:
    """-127..127 over the largest magnitude of each slice along `axis`; None: of all."""
    others = tuple(dim for dim in range(weights.ndim) if dim != axis) if axis is not None else None
    largest = np.abs(weights).max(axis=others) if weights.size else np.zeros((), weights.dtype)
    scales = _scales(largest - -largest, 2 * HIGHEST)
    return StoredCode(scales, np.zeros(scales.shape, np.int8), axis)


def asymmetric(values: Array, unsigned: bool) -> StoredCode:
    """All 256 codes from the smallest value, or zero, to the largest, or zero: of constants beside activations."""
    limits = np.iinfo(np.uint8 if unsigned else np.int8)
    low, high = (np.asarray(end, values.dtype) for end in (min(values.min(), 0), max(values.max(), 0)))
    scale = _scales(high - low, HIGHEST - LOWEST)
    exact = np.float64(high - low) / (HIGHEST - LOWEST)
    silent = not exact >= np.finfo(values.dtype).tiny
    zero = 0 if silent else np.round(limits.min - low / exact)
    return StoredCode(scale, np.asarray(zero, limits.dtype))


def _scales(spans: Array, steps: int) -> Array:
    """1 where all values are zero, as nothing says how large they might be."""
    exact = np.asarray(spans, np.float64) / steps
    return np.asarray(np.where(exact < np.finfo(spans.dtype).tiny, 1, exact), spans.dtype)


def wide_enough(weights: StoredCode, bias: Array, input_scale: Array) -> StoredCode:
    """`weights` with scales that are larger where `bias`, in steps of both scales' product, would leave int32."""
    wanted = np.abs(bias.astype(np.float64)) if weights.axis is not None else np.abs(bias.astype(np.float64)).max()
    least = MARGIN * (2 * wanted) / (2 * LARGEST_STEP)
    now = np.float64(input_scale) * weights.scales.astype(np.float64)
    narrow = (now < least) & (now > 0)
    if not narrow.any():
        return weights
    wider = weights.scales.astype(np.float64) * np.where(narrow, least / np.where(now > 0, now, 1), 1)
    return replace(weights, scales=np.where(narrow, wider.astype(weights.scales.dtype), weights.scales))


def bias_code(bias: Array, input_scale: Array, weight_scales: Array, factor: float) -> tuple[Array, Array]:
    """(int32 steps, their scales) of a bias that is added to products of codes."""
    scales = input_scale * weight_scales * factor
    steps = (bias.astype(np.float64) / np.asarray(scales, np.float64)).round()
    limits = np.iinfo(np.int32)
    return np.clip(steps, limits.min, limits.max).astype(np.int32), np.asarray(scales, bias.dtype).reshape(-1)
