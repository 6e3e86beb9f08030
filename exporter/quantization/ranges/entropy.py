"""The range that keeps most of the information: smallest Kullback-Leibler divergence between values and their int8.

Migacz, "8-bit Inference with TensorRT", GTC 2017, with both ends of an asymmetric range moved in turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from exporter.quantization.params import HIGHEST, LOWEST, Affine, Range

if TYPE_CHECKING:
    from exporter.quantization.ranges.histogram import Histogram

STEPS = 32
SMALLEST_SHARE = 0.3  # of an end: beyond it int8 would have hardly more steps than the histogram has bins


def least_divergence(histogram: Histogram) -> Range:
    """The range of int8 that tells the histogram's values apart best; never wider than the values."""
    centres, counts = histogram.occupied()
    # Zero is exact in every range, and the many zeros behind a ReLU would drown all else.
    told = (centres < 0) | (centres > histogram.width)
    centres, counts = centres[told], counts[told]
    whole = best = histogram.range
    if not len(centres):
        return whole
    for upper in (True, False, True, False):
        shares = np.linspace(1.0, SMALLEST_SHARE, STEPS)
        ends = (
            [Range(best.low, max(whole.high * share, 0.0)) for share in shares]
            if upper
            else [Range(min(whole.low * share, 0.0), best.high) for share in shares]
        )
        # A range that zero widens on the other side is still a candidate: int8 always holds zero.
        best = min(ends, key=lambda values: divergence(values, centres, counts))
    return Range(max(best.low, whole.low), min(best.high, whole.high))


def divergence(values: Range, centres: NDArray[np.float64], counts: NDArray[np.float64]) -> float:
    """KL(P ‖ Q) in nats. P: the counts, what lies outside `values` moved to its ends. Q: what int8 remembers of
    the counts inside, spread evenly over the occupied bins of each step.
    """
    params = Affine.of_range(values)
    inside = (centres >= params.range.low - params.scale / 2) & (centres <= params.range.high + params.scale / 2)
    if not inside.any():
        return np.inf
    steps = np.clip(np.round(centres[inside] / params.scale) + params.zero_point, LOWEST, HIGHEST).astype(int) - LOWEST
    kept = counts[inside]
    reference = kept.copy()
    first, last = np.flatnonzero(inside)[[0, -1]]
    reference[0] += counts[:first].sum()
    reference[-1] += counts[last + 1 :].sum()
    shared = (np.bincount(steps, kept, 256) / np.maximum(np.bincount(steps, minlength=256), 1))[steps]
    p, q = reference / reference.sum(), shared / shared.sum()
    return float((p * np.log(p / q)).sum())
