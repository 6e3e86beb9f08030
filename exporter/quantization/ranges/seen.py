"""Ranges no wider than what can be seen of them: an INT8 file's picture ends at 0 and 1.

What is added to a picture to make the last one matters only as far as the sum can lie in 0..1. A network without a
final clamp may add ten times as much, and steps for all of that would be ten times as coarse.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Generic

from exporter.quantization.float_regions import MOVES, Step, Tensor
from exporter.quantization.params import Range

SHOWN = Range(0.0, 1.0)
MARGIN = 1 / 8  # of the width of the other term, which may be wider on other pictures
_CLAMPS = frozenset({"relu", "relu6", "relu0to1", "clip", "minimum", "maximum", "min", "max"})
_BLOCKS = frozenset({"depthtospace", "spacetodepth"})


def narrowed_to_seen(
    steps: Sequence[Step[Tensor]],
    ranges: Mapping[Tensor, Range],
    pictures: Collection[Tensor],
    outputs: Collection[Tensor],
    carried: Collection[Tensor] = (),
) -> dict[Tensor, Range]:
    """`ranges`, those of the terms of the last sums narrowed. `pictures` are what goes in, `outputs` what comes out.

    `carried` are states, which the next frame reads whole.
    """
    limits = seen_limits(steps, ranges, pictures, outputs, carried)
    return {tensor: _within(known, limits[tensor]) if tensor in limits else known for tensor, known in ranges.items()}


def seen_limits(
    steps: Sequence[Step[Tensor]],
    ranges: Mapping[Tensor, Range],
    pictures: Collection[Tensor],
    outputs: Collection[Tensor],
    carried: Collection[Tensor] = (),
) -> dict[Tensor, Range]:
    """Beyond which no value of a tensor is seen, where that can be said; `ranges` are all that is known."""
    return _Walk(steps, ranges, pictures, carried).limits_from(outputs)


class _Walk(Generic[Tensor]):
    """Back from the outputs, through what moves and clamps, from sum to sum."""

    def __init__(
        self,
        steps: Sequence[Step[Tensor]],
        ranges: Mapping[Tensor, Range],
        pictures: Collection[Tensor],
        carried: Collection[Tensor],
    ) -> None:
        self._pictures = set(pictures)
        for step in steps:
            if step.name in MOVES | _BLOCKS and self._pictures.issuperset(step.inputs):
                self._pictures.update(step.outputs)
        self._ranges = dict(ranges) | dict.fromkeys(self._pictures, SHOWN)
        self._makers = {tensor: step for step in steps for tensor in step.outputs}
        self._readers = Counter(tensor for step in steps for tensor in set(step.inputs))
        self._readers.update(carried)
        self._limits: dict[Tensor, Range] = {}

    def limits_from(self, outputs: Collection[Tensor]) -> dict[Tensor, Range]:
        for tensor in outputs:
            self._back(tensor, SHOWN, readers=0)
        return self._limits

    def _back(self, tensor: Tensor, seen: Range, readers: int) -> None:
        if self._readers[tensor] != readers or tensor in self._pictures:
            return  # somebody else reads it whole
        self._limits[tensor] = seen
        step = self._makers.get(tensor)
        if step is None:
            return
        if len(step.inputs) == 1 and step.name in MOVES | _CLAMPS | _BLOCKS:
            self._back(step.inputs[0], seen, readers=1)
        elif step.name in ("add", "sub") and len(set(step.inputs)) == 2:
            self._back_through_sum(step, seen)

    def _back_through_sum(self, step: Step[Tensor], seen: Range) -> None:
        first, second = step.inputs
        one, other = (self._roomy(tensor) for tensor in (first, second))
        if other is not None:
            taken = other if step.name == "add" else Range(-other.high, -other.low)
            self._back(first, Range(seen.low - taken.high, seen.high - taken.low), readers=1)
        if one is not None:
            needed = Range(seen.low - one.high, seen.high - one.low)
            self._back(second, needed if step.name == "add" else Range(-needed.high, -needed.low), readers=1)

    def _roomy(self, tensor: Tensor) -> Range | None:
        known = self._ranges.get(tensor)
        if known is None or tensor in self._pictures:
            return known
        margin = MARGIN * (known.high - known.low)
        return Range(known.low - margin, known.high + margin)


def _within(values: Range, seen: Range) -> Range:
    """The part of `values` in `seen`; where there is none, the end of `seen` that is nearest."""
    return Range(min(max(values.low, seen.low), seen.high), max(min(values.high, seen.high), seen.low))
