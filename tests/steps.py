"""How much the interpreter does: lines run and loops gone round, which no busy machine changes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def lines_run(work: Callable[[], object], *folders: str) -> int:
    """Lines of files in `folders` (parts of their paths) that `work` runs, each round of a loop counted."""
    count = 0

    def local(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal count
        count += event == "line"
        return local

    def each_call(frame: FrameType, event: str, arg: Any) -> Any:
        return local if any(folder in frame.f_code.co_filename for folder in folders) else None

    before = sys.gettrace()
    sys.settrace(each_call)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def require_linear(count: Callable[[int], int], size: int) -> None:
    """Fails unless what is counted at four times `size` grows by no more than from once to twice, times two."""
    one, two, four = count(size), count(2 * size), count(4 * size)
    assert four - two < 1.2 * 2 * (two - one), (one, two, four)
