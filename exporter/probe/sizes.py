"""Which picture sizes a network takes, found out by trying."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from exporter.errors import PlanError

Size = tuple[int, int]  # height and width in px
Trial = Callable[[int, int], str]  # why the network cannot run at height×width; "" when it can

# Two different sides first: nothing that mixes them up gets through. Then what networks of one size are built for.
SIZES: tuple[Size, ...] = ((96, 128), (128, 128), (256, 256), (64, 64), (224, 224), (192, 192), (512, 512), (320, 320))
LARGEST_MULTIPLE = 256
MIN_PX, MOST_PX, MOST_SIDES = 16, 1024, 4


@dataclass(frozen=True, slots=True)
class SizeRule:
    """A size that runs, and the number of pixels its sides have to be multiples of."""

    height: int
    width: int
    multiple: int


def find_size(trial: Trial, wanted: Size | None) -> SizeRule:
    """The size to probe at and the rule it follows. Raises PlanError when `wanted`, or no size at all, runs."""
    first = ""
    for height, width in (wanted,) if wanted else SIZES:
        why = trial(height, width)
        if not why:
            return SizeRule(height, width, _multiple(trial, math.gcd(height, width)))
        first = first or why
    for side in () if wanted else _sides_in(first):  # of a network that is built for one size
        if not trial(side, side):
            return SizeRule(side, side, _multiple(trial, side))
    raise PlanError(f"{first}{_others(trial, wanted)}" if wanted else first)


def _sides_in(said: str) -> list[int]:
    """Numbers in the network's own complaint that may be the side that it was built for."""
    numbers = dict.fromkeys(int(number) for number in re.findall(r"(?<![\w:.×])\d+(?![\w.×])", said))
    tried = {size for size in SIZES if size[0] == size[1]}
    return [side for side in numbers if MIN_PX <= side <= MOST_PX and (side, side) not in tried][:MOST_SIDES]


def _multiple(trial: Trial, common: int) -> int:
    """The smallest divisor of `common` whose multiples run."""
    for multiple in _divisors(common):
        side = multiple * _count(multiple)
        if side % common == 0 or not trial(side, side):
            return multiple
    return common


def _divisors(number: int) -> Iterator[int]:
    return (d for d in range(1, min(number, LARGEST_MULTIPLE) + 1) if number % d == 0)


def _count(multiple: int) -> int:
    """How many times `multiple` makes a small side that is not, by chance, a multiple of more."""
    return next(count for count in (5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47) if multiple * count >= 47)


def _others(trial: Trial, wanted: Size) -> str:
    """`; it runs at …`: the nearest sizes that do, when there are any."""
    usual = next((size for size in SIZES if size != wanted and not trial(*size)), None)
    if usual is None:
        return ""
    multiple = _multiple(trial, math.gcd(*usual))
    near = tuple(max(round(side / multiple), 1) * multiple for side in wanted)
    height, width = near if near != wanted and not trial(*near) else usual
    rule = f" (sides are multiples of {multiple})" if multiple > 1 else ""
    return f"; it runs at {height}×{width} px{rule}"
