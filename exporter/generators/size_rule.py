"""The sizes that networks take: sides that are multiples of a number of pixels."""

from __future__ import annotations


def wrong_size(where: str, length_px: int, multiple: int, arch: str) -> str:
    """Why `arch` cannot take a side of so many px, `where` it was said, and the nearest that it takes; "" if it can."""
    if length_px % multiple == 0:
        return ""
    below_px = length_px - length_px % multiple
    nearest = " or ".join(str(px) for px in (below_px, below_px + multiple) if px)
    return f"{where}: {length_px} is not a multiple of {multiple}, as {arch} needs; nearest: {nearest}"
