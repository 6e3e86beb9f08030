"""Figures as people read them."""

from __future__ import annotations


def fixed(value: float, digits: int, *, sign: bool = False) -> str:
    """`value` with so many decimals; what rounds to nothing is 0.000, never -0.000."""
    value = round(value, digits) + 0.0
    return f"{value:+.{digits}f}" if sign and value else f"{value:.{digits}f}"


def counted(number: int, one: str, many: str = "") -> str:
    """`1 file`, `2 files`; `many`: the plural that is more than an s."""
    return f"{number} {one if number == 1 else many or one + 's'}"
