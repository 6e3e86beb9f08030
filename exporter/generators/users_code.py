"""What code of the user's own says when it fails, and where: a network's constructor and forward are not ours."""

from __future__ import annotations

import os
import sys
from linecache import getline
from pathlib import Path
from traceback import extract_tb

from exporter.failures import causes, in_one_line

# What a network's code may end in. SystemExit is none of Exception: a script that was made a module calls sys.exit.
FAILS_WITH = (Exception, SystemExit)


def said_by(error: BaseException) -> str:
    """What went wrong in one line and, in code of the user's, the file and line of it."""
    ours_to_say = isinstance(error, TypeError | ValueError) and str(error).strip()
    words = str(error).strip().splitlines()[0] if ours_to_say else in_one_line(error)
    if isinstance(error, SyntaxError) and error.filename:
        return f"{words} ({Path(error.filename).name}:{error.lineno})"
    return f"{words}{place_of(error)}"


def place_of(error: BaseException) -> str:
    """` (net.py:12: its source line)` of the innermost line of the user's that led to `error`; empty without one."""
    for cause in causes(error):
        frames = [frame for frame in extract_tb(cause.__traceback__) if _is_of_the_user(frame.filename)]
        if frames:
            return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno}: {frames[-1].line})"
    return ""


def line_at_work() -> str:
    """`net.py:12: its source line` of the innermost line of the user's that is being run; empty without one."""
    frame = sys._getframe(1)
    while frame.f_back is not None and not _is_of_the_user(frame.f_code.co_filename):
        frame = frame.f_back
    file = frame.f_code.co_filename
    if not _is_of_the_user(file):
        return ""
    return f"{Path(file).name}:{frame.f_lineno}: {getline(file, frame.f_lineno).strip()}"


def is_raised_by_user(error: BaseException) -> bool:
    """Whether a line of the user's own, not a library that it called, raised `error` or what led to it."""
    innermost = (extract_tb(cause.__traceback__)[-1:] for cause in causes(error))
    return any(_is_of_the_user(frame.filename) for frames in innermost for frame in frames)


def _is_of_the_user(file: str) -> bool:
    installed = "site-packages" in file or file.startswith("<") or Path(file).is_relative_to(Path(os.__file__).parent)
    return not installed and not Path(file).is_relative_to(Path(__file__).parents[1])
