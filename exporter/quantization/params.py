"""Quantization parameters of int8 and int16: real = (stored - zero_point) * scale."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float32]

LOWEST, HIGHEST = -128, 127
HIGHEST_16 = 32767  # of int16
STEPS = HIGHEST - LOWEST
SILENT_SPAN = 1e-6  # a tensor that is zero on every calibration image still needs a scale
SMALLEST_SPAN = 1e-28  # of one that is not: its scale, and that of products with it, are normal float32
SILENT_WEIGHT = 1e-12  # the scale of a channel whose weights are all zero
LARGEST_BIAS = 2**30  # an int32 accumulator must hold the bias and the sum of products


@dataclass(frozen=True, slots=True)
class Range:
    """Real values a tensor takes, low ≤ high."""

    low: float
    high: float

    def union(self, other: Range) -> Range:
        return Range(min(self.low, other.low), max(self.high, other.high))


@dataclass(frozen=True, slots=True)
class Affine:
    """Scale and zero point of one tensor, whose integers are `lowest` to `highest`."""

    scale: float
    zero_point: int
    lowest: int = LOWEST
    highest: int = HIGHEST

    @classmethod
    def of_range(cls, values: Range) -> Affine:
        """Asymmetric int8 over `values`, no end clipped; zero is always representable exactly (padding, ReLU), and an
        end that is nearer to it than half a step becomes zero.

        A zero point must be whole. Rounding it moves the range by up to half a step, so the scale grows until both ends
        lie inside again: pixels in -1..1 would all be half a step off otherwise, in the same direction.
        Raises ValueError for an end that is not a finite number.
        """
        if not (isfinite(values.low) and isfinite(values.high)):
            raise ValueError(f"{values.low} to {values.high} is no range for a code")
        low, high = min(values.low, 0.0), max(values.high, 0.0)
        least = SMALLEST_SPAN if high > low else SILENT_SPAN
        span = max(high - low, least)
        zero_point = min(max(round(LOWEST - low * STEPS / span), LOWEST), HIGHEST)
        above = high / (HIGHEST - zero_point) if zero_point < HIGHEST else 0.0
        below = low / (LOWEST - zero_point) if zero_point > LOWEST else 0.0
        return cls(float(np.float32(max(above, below, least / STEPS))), zero_point)

    @classmethod
    def symmetric(cls, values: Range, highest: int = HIGHEST) -> Affine:
        """int8 over `values` and their opposites, zero in the middle: for kernels that know no zero point.

        Other integers with another `highest`. Raises ValueError for an end that is not a finite number.
        """
        if not (isfinite(values.low) and isfinite(values.high)):
            raise ValueError(f"{values.low} to {values.high} is no range for a code")
        largest = max(-values.low, values.high)
        return cls(float(np.float32(max(largest or SILENT_SPAN, SMALLEST_SPAN) / highest)), 0, -highest - 1, highest)

    @property
    def range(self) -> Range:
        """The real values of the two ends."""
        return Range((self.lowest - self.zero_point) * self.scale, (self.highest - self.zero_point) * self.scale)

    def quantize(self, values: Array) -> NDArray[np.signedinteger[Any]]:
        """As int8, or as int16 where its integers are those."""
        steps = np.round(values.astype(np.float64) / self.scale) + self.zero_point
        dtype = np.int8 if self.highest == HIGHEST else np.int16
        return np.asarray(np.clip(steps, self.lowest, self.highest), dtype)


PIXELS = Affine(float(np.float32(1 / 255)), LOWEST)  # every 8-bit pixel value exactly, nothing outside 0..1
PIXELS_16 = Affine(float(np.float32(1 / HIGHEST_16)), 0, -HIGHEST_16 - 1, HIGHEST_16)  # nothing above 1


def weight_scales(largest: NDArray[np.float64]) -> NDArray[np.float64]:
    """The scale of symmetric int8 weights for each of the `largest` magnitudes."""
    return np.where(largest > 0, np.maximum(largest / HIGHEST, SMALLEST_SPAN / STEPS), SILENT_WEIGHT)


def quantize_weights(weights: Floats, axis: int | None, bias: Floats | None, input_scale: float) -> QuantizedWeights:
    """Symmetric int8 in -127..127, one scale per slice along `axis` (None: one for all).

    A channel whose weights are so small that its bias would overflow int32 gets a larger scale.
    """
    others = tuple(dim for dim in range(weights.ndim) if dim != axis)
    largest = np.abs(weights).max(axis=others).astype(np.float64).ravel()
    scales = weight_scales(largest)
    if bias is not None:
        smallest = np.abs(bias.astype(np.float64)) / (input_scale * LARGEST_BIAS)
        scales = np.maximum(scales, smallest if len(scales) > 1 else smallest.max())
    stored = scales.astype(np.float32)
    shape = [1] * weights.ndim
    if axis is not None:
        shape[axis] = len(stored)
    steps = np.round(weights / stored.reshape(shape))  # the largest weight of a slice takes 127 steps, none takes more
    return QuantizedWeights(steps.astype(np.int8), stored, axis or 0)


@dataclass(frozen=True, slots=True)
class QuantizedWeights:
    values: NDArray[np.int8]
    scales: Floats
    axis: int

    def bias(
        self, bias: Floats, input_scale: float, dtype: type[np.signedinteger[Any]] = np.int32
    ) -> tuple[NDArray[np.signedinteger[Any]], Floats]:
        """The bias in int32, or in int64, at scale input·weight, and those scales."""
        scales = (np.float32(input_scale) * self.scales).astype(np.float32)
        steps = np.round(bias.astype(np.float64) / scales)
        limit = 2**31 if dtype == np.int32 else 2**62
        return np.clip(steps, -limit, limit - 1).astype(dtype), scales
