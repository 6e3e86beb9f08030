"""The values of one tensor over many images, in constant memory and in one pass.

Bins are multiples of a power of two around zero; when a value falls outside, neighbours are merged two by two. So the
result does not depend on the order of the images.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from exporter.quantization.params import HIGHEST, LOWEST, Affine, Range

HALF_BINS = 4096  # on each side of zero: at least 2048 are in use on the larger side, int8 has 256 steps
# Of each tensor and image at most about this many values are counted; a prime stride meets every channel and column.
SAMPLE = 1 << 16
_STRIDES = (1, 3, 7, 13, 29, 61, 127, 251, 509, 1021, 2039, 4093)
SHRINK_STEPS = 64


class Histogram:
    def __init__(self) -> None:
        self.counts: NDArray[np.int64] = np.zeros(2 * HALF_BINS, np.int64)
        self._exponent: int | None = None  # bin width = 2**exponent
        self.low, self.high = math.inf, -math.inf

    @property
    def range(self) -> Range:
        """0..0 when nothing was added."""
        return Range(self.low, self.high) if self.low <= self.high else Range(0.0, 0.0)

    @property
    def width(self) -> float:
        return 2.0 ** (self._exponent or 0)

    def add_limits(self, values: NDArray[np.float32]) -> None:
        """Only the smallest and the largest value. Raises ValueError for one that is not a finite number."""
        if not values.size:
            return
        low, high = float(values.min()), float(values.max())  # both pass NaN on; min and max of Python lose it
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError("a value is not a finite number")
        self.low, self.high = min(self.low, low), max(self.high, high)

    def add(self, values: NDArray[np.float32]) -> None:
        """Limits of all values, counts of a sample of them where there are many."""
        self.add_limits(values)
        largest = max(abs(self.range.low), abs(self.range.high))
        if largest > 0:
            # frexp: largest < 2**needed, so floor(x / width) stays inside ±HALF_BINS
            needed = math.frexp(largest)[1] - HALF_BINS.bit_length() + 1
            self._grow(needed)
        stride = next((s for s in _STRIDES if s * SAMPLE >= values.size), _STRIDES[-1])
        # In float64, as a width of 2**-160 has no inverse in float32; a power of two rounds in neither.
        sample = values.reshape(-1)[::stride].astype(np.float64)
        places = np.floor(sample / self.width).astype(np.int32) + HALF_BINS
        self.counts += np.bincount(places, minlength=2 * HALF_BINS)

    def occupied(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centres and counts of the bins that hold something."""
        used = np.flatnonzero(self.counts)
        return (used - HALF_BINS + 0.5) * self.width, self.counts[used].astype(np.float64)

    def percentile(self, percent: float) -> Range:
        """What is left when (100 - percent) / 2 percent of the values are cut off at each end."""
        cut = self.counts.sum() * (100 - percent) / 200
        cumulated = np.cumsum(self.counts)
        first = int(np.searchsorted(cumulated, cut, side="right"))
        last = int(np.searchsorted(cumulated, cumulated[-1] - cut, side="left"))
        low, high = (first - HALF_BINS) * self.width, (last + 1 - HALF_BINS) * self.width
        return Range(max(low, self.low), min(high, self.high))

    def least_squares(self) -> Range:
        """The range whose int8 steps have the smallest mean squared error; its ends are moved in turn."""
        centres, weights = self.occupied()

        @cache  # many are asked for again: an end at zero stays there, and a turn may move nothing
        def error(values: Range) -> float:
            return _squared_error(values, centres, weights)

        best = self.range
        for _ in range(2):
            best = min(self._shrunk(best, upper=True), key=error)
            best = min(self._shrunk(best, upper=False), key=error)
        return best

    def _shrunk(self, now: Range, upper: bool) -> list[Range]:
        factors = np.linspace(1.0, 0.3, SHRINK_STEPS)
        if upper:
            return [Range(now.low, self.high * f if self.high > 0 else self.high) for f in factors]
        return [Range(self.low * f if self.low < 0 else self.low, now.high) for f in factors]

    def _grow(self, exponent: int) -> None:
        if self._exponent is None:
            zeros = int(self.counts[HALF_BINS])  # whatever was added before was zero
            self._exponent = exponent
            assert zeros == self.counts.sum()
        while self._exponent < exponent:
            pairs = self.counts.reshape(HALF_BINS, 2).sum(1)
            self.counts[:] = 0
            self.counts[HALF_BINS // 2 : HALF_BINS // 2 + HALF_BINS] = pairs
            self._exponent += 1


def _squared_error(values: Range, centres: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    params = Affine.of_range(values)
    error = centres / params.scale  # and on in place: it is asked for thousands of times
    np.rint(error, out=error)
    np.clip(error, LOWEST - params.zero_point, HIGHEST - params.zero_point, out=error)
    error *= params.scale
    error -= centres
    weighted = weights * error
    weighted *= error
    return float(weighted.sum())
