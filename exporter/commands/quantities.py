"""Sizes and ages as people write them: 10GB, 30d."""

from __future__ import annotations

import re

from exporter.errors import RecipeError

_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_BYTES |= {"tib": 2**40, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def bytes_of(word: str) -> int:
    """`10GB` is 10¹⁰, `10GiB` 10·2³⁰. Raises RecipeError."""
    return round(_read(word, _BYTES, "a size is a number with GB, MB, kB or GiB, such as 10GB"))


def seconds_of(word: str) -> float:
    """`30d`, `12h`, `90min`. Raises RecipeError."""
    return _read(word, _SECONDS, "an age is a number with d, h, min or w, such as 30d")


def size_in_words(size_bytes: float) -> str:
    """With three digits at most: 9.9 GB, 120 MB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size_bytes < 999.5:
            return f"{size_bytes:.0f} {unit}" if unit == "bytes" or size_bytes >= 9.95 else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.0f} TB" if size_bytes >= 9.95 else f"{size_bytes:.1f} TB"


def age_in_words(age_s: float) -> str:
    """In the unit that leaves the fewest digits above one: 3 h."""
    for name, unit_s in (("w", 7 * 86400), ("d", 86400), ("h", 3600), ("min", 60)):
        if age_s >= 2 * unit_s or (age_s >= unit_s and name != "w"):
            return f"{age_s / unit_s:.0f} {name}"
    return f"{max(age_s, 0):.0f} s"


def _read(word: str, units: dict[str, int], what: str) -> float:
    found = re.fullmatch(r"\s*(\d{1,12}(?:\.\d{1,6})?)\s*([a-zA-Z]{0,3})\s*", word)
    if not found or (unit := units.get(found[2].lower())) is None:
        raise RecipeError(f"{word[:40]!r}: {what}")
    return float(found[1]) * unit
