"""How many calibration images are enough: how far the ranges still move when more are seen."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TypeVar

import numpy as np

from exporter.quantization.params import Range

Key = TypeVar("Key", bound=Hashable)
SETTLED_PERCENT = 1.0


def movement(after: Mapping[int, Mapping[Key, Range]], final: Mapping[Key, Range], images: int) -> dict[str, object]:
    """Facts for the report.

    `after` are the ranges after so many images, `final` those after all `images`. A tensor's movement is how far its
    farther end still is from where it will be, in percent of the final range; given are median and largest.
    """
    curve = {count: _moved_percent(ranges, final) for count, ranges in sorted(after.items()) if count < images}
    moving = [count for count, (median, _) in curve.items() if not median < SETTLED_PERCENT]
    settled = next((count for count in curve if count > max(moving, default=0)), None)
    said = (
        f"{settled} images suffice: the median range moved by less than {SETTLED_PERCENT:g} % after that"
        if settled is not None
        else f"{images} images may be too few: the median range moved by {SETTLED_PERCENT:g} % or more in the last half"
    )
    rows = {f"after {count}": f"median {median} %, largest {worst} %" for count, (median, worst) in curve.items()}
    return {"convergence": said, "ranges_still_to_move": rows}


def _moved_percent(ranges: Mapping[Key, Range], final: Mapping[Key, Range]) -> tuple[float, float]:
    moved = []
    for tensor, end in final.items():
        now, span = ranges[tensor], end.high - end.low
        moved.append(100 * max(abs(now.low - end.low), abs(now.high - end.high)) / span if span > 0 else 0.0)
    return round(float(np.median(moved)), 2), round(float(np.max(moved)), 2)
