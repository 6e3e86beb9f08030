"""Which pictures of a set to take where all of them would take too long."""

from __future__ import annotations


def evenly_spread(count: int, wanted: int) -> list[int]:
    """Places of `wanted` of `count` pictures, or of all when there are fewer, at equal distances and in order."""
    wanted = min(wanted, count)
    return [number * count // wanted for number in range(wanted)]
