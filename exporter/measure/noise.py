"""How sure a median of times is, and why it may be too long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import comb
from statistics import median

from exporter.measure.load import Load

CONFIDENCE = 0.95
WIDEST = 0.1  # of the median: an interval as wide as what two runs on one machine differ says little
SPARE_CORES = 0.15  # what a machine at rest spends on itself
STEADY_CLOCK = 0.9  # slowest to fastest


def split(number: int, parts: int) -> list[int]:
    """`number` in so many parts that differ by one at most, larger ones first."""
    return [number // parts + (place < number % parts) for place in range(parts)]


def median_interval(samples: Sequence[float], turns: int) -> tuple[float, float]:
    """The 95 % interval of the median of samples that were taken in `turns`, by order statistics.

    What slows one call of a turn slows the others of it, so a turn counts as one observation, its median; samples of
    less than two turns each count. Fewer than six observations cannot give 95 %: then it is their whole range.
    """
    each = sorted(_turn_medians(samples, turns) if turns > 1 else samples)
    cut = _rank(len(each))
    return each[cut], each[len(each) - 1 - cut]


def ratio_interval(samples: Sequence[float], against: Sequence[float], turns: int) -> tuple[float, tuple[float, float]]:
    """How many times as long as `against` it takes, and the 95 % interval: both were timed in the same `turns`.

    What slowed a turn slowed both in it, so each turn gives one ratio. Samples of one turn were not taken side by side:
    then the interval is as wide as both of theirs allow.
    """
    if turns < 2:
        (low, high), (other_low, other_high) = (median_interval(each, turns) for each in (samples, against))
        return median(samples) / median(against), (low / other_high, high / other_low)
    pairs = zip(_turn_medians(samples, turns), _turn_medians(against, turns), strict=True)
    ratios = [own / other for own, other in pairs]
    return median(ratios), median_interval(ratios, 1)


def _turn_medians(samples: Sequence[float], turns: int) -> list[float]:
    start, medians = 0, []
    for size in split(len(samples), min(turns, len(samples))):
        medians.append(median(samples[start : start + size]))
        start += size
    return medians


def _rank(count: int) -> int:
    """How many observations lie outside at either end: the most that leave 95 % between."""
    outside, cut = 0.0, 0
    for below in range(count // 2):
        outside += 2 * comb(count, below) / 2**count
        if outside > 1 - CONFIDENCE:
            break
        cut = below
    return cut


def reasons(samples_ms: Sequence[float], turns: int, threads: int, load: Load | None) -> Iterator[str]:
    """Why these times are not the file's alone; none: nothing was seen."""
    if load is not None:
        yield from _of_machine(load, threads)
    low, high = median_interval(samples_ms, turns)
    if turns > 1 and high - low > WIDEST * median(samples_ms):
        yield f"the median is uncertain, {low:.3g} to {high:.3g} ms"


def _of_machine(load: Load, threads: int) -> Iterator[str]:
    if load.others_cores is not None and load.others_cores > max(0, load.cores - threads) + SPARE_CORES:
        yield f"other programs took {load.others_cores:.1f} of {load.cores} cores"
    if load.clock_mhz is not None and load.clock_mhz[0] < STEADY_CLOCK * load.clock_mhz[1]:
        yield f"the processor's clock went from {load.clock_mhz[0]:.0f} to {load.clock_mhz[1]:.0f} MHz"
