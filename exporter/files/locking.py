"""Locks between processes of this machine. A lock ends with its process, however that ends."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_NO_LOCKS_HERE = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS})


class Held(Exception):
    """Another process has the lock."""


@contextmanager
def locked(
    file: Path, *, wait: bool = True, needed: bool | None = None, waiting: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Hold `file`, made when it is not there, for this process alone; `waiting` is called when that takes time.

    Raises Held, without `wait`, when another process has it. Where no lock is `needed`, by default with `wait`, a file
    system without locks keeps nobody out.
    """
    needed = not wait if needed is None else needed
    number = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                raise Held(file) from None
            waiting()
            fcntl.flock(number, fcntl.LOCK_EX)
        except OSError as error:
            if needed or error.errno not in _NO_LOCKS_HERE:
                raise
        yield
    finally:
        os.close(number)
