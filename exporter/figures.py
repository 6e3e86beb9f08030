"""Figures as people read them."""

from __future__ import annotations

import re
from collections.abc import Sequence


def fixed(value: float, digits: int, *, sign: bool = False) -> str:
    """`value` with so many decimals; what rounds to nothing is 0.000, never -0.000."""
    value = round(value, digits) + 0.0
    return f"{value:+.{digits}f}" if sign and value else f"{value:.{digits}f}"


def signed(value: float, digits: int = 4) -> str:
    """`value` with its sign and so many digits that count: +0.0123; nothing is 0."""
    return f"{value:+.{digits}g}" if value else "0"


def counted(number: int, one: str, many: str = "") -> str:
    """`1 file`, `2 files`; `many`: the plural that is more than an s."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def parameters_word(number: int) -> str:
    """`84 parameters`, `0.79 M parameters`."""
    return f"{number / 1e6:.3g} M parameters" if number >= 10_000 else counted(number, "parameter")


def time_word(seconds: float) -> str:
    """In the unit that leaves few digits: 45 s, 12 min, 2.5 h."""
    if seconds < 99.5:
        return f"{max(seconds, 0):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 99.5 * 60 else f"{seconds / 3600:.1f} h"


def size_word(size: Sequence[int]) -> str:
    """(720, 1280) as signatures and recipes have it, height first: 720x1280."""
    return f"{size[0]}x{size[1]}"


def size_of(word: str) -> tuple[int, int]:
    """The reverse. Raises ValueError."""
    found = re.fullmatch(r"\s*(\d{1,9})\s*[x×]\s*(\d{1,9})\s*", word)
    if not found:
        raise ValueError(f"a size is written height x width, such as 720x1280, not {word[:40]!r}")
    return int(found[1]), int(found[2])
