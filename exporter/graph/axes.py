"""Which axes of a tensor become which when it is reshaped."""

from __future__ import annotations

from math import prod

Axes = tuple[int, ...]


def matching_groups(source: tuple[int, ...], target: tuple[int, ...]) -> list[tuple[Axes, Axes]]:
    """The smallest runs of axes that hold the same number of elements on both sides."""
    groups: list[tuple[Axes, Axes]] = []
    i = j = 0
    while i < len(source) or j < len(target):
        first, second = i, j
        i, j = min(i + 1, len(source)), min(j + 1, len(target))
        while (a := prod(source[first:i])) != (b := prod(target[second:j])):
            i, j = (i + 1, j) if a < b else (i, j + 1)
        groups.append((tuple(range(first, i)), tuple(range(second, j))))
    return groups
