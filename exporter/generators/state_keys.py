"""Reading widths and depths off a state dict."""

from __future__ import annotations

from collections.abc import Iterable
from math import isqrt


def count(keys: Iterable[str], prefix: str) -> int:
    """How many numbered modules follow `prefix`: 1 + the largest N of `prefix` + `N.…`; 0 when there is none.

    Raises ValueError when more are numbered than there are keys: every module has a tensor.
    """
    names = list(keys)
    numbers = [key[len(prefix) :].split(".", 1)[0] for key in names if key.startswith(prefix)]
    found = 1 + max((int(number) for number in numbers if number.isdecimal()), default=-1)
    if found > len(names):
        raise ValueError(f"{prefix}{found - 1} is numbered beyond the {len(names)} tensors there are")
    return found


def root(square: int, what: str) -> int:
    """The whole square root. Raises ValueError naming `what` when there is none."""
    side = isqrt(max(square, 0))
    if side < 1 or side * side != square:
        raise ValueError(f"{what} is {square}, not a square number")
    return side
