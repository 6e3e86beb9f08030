"""How much memory this process and what it started hold."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_bytes(process: int | str = "self") -> int:
    """Bytes in memory of `process` and of all that it started and that still run; 0 where Linux's /proc is not."""
    found, folder = 0, Path(f"/proc/{process}")
    with suppress(OSError, ValueError, IndexError):  # it may end while it is looked at
        found = int((folder / "statm").read_text().split()[1]) * _PAGE_BYTES
        children = {child for file in folder.glob("task/*/children") for child in file.read_text().split()}
        found += sum(map(resident_bytes, children))
    return found
