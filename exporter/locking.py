"""Locks between processes of this machine. A lock ends with its process, however that ends."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NO_LOCKS_HERE = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS})


class Held(Exception):
    """Another process has the lock."""


@contextmanager
def locked(file: Path, *, wait: bool = True) -> Iterator[int]:
    """Hold `file`, made when it is not there, for this process alone; yields its descriptor.

    Raises Held, without `wait`, when another process has it. With it, a file system without locks keeps nobody out.
    """
    number = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise Held(file) from None
        except OSError as error:
            if not wait or error.errno not in _NO_LOCKS_HERE:
                raise
        yield number
    finally:
        os.close(number)
