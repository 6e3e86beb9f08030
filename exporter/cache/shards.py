"""Files that many processes make side by side, without anybody who tells them what to do.

Each process walks over all of them, takes what nobody holds, and leaves out what is there. A lock, which ends with its
process, says who is at work; a file appears whole, and its sealed record after it: so a process that is killed loses
its own file at most, which another one then makes. Where a file system has no locks, two may make the same file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from exporter.cache.sealed import seal, unseal
from exporter.files.atomic import write_atomically
from exporter.files.locking import Held, locked
from exporter.processes.place import Place
from exporter.progress import Progress

Make = Callable[[int, Path], Any]


def make_missing(what: str, files: Sequence[Path], make: Make, place: Place, progress: Progress) -> int:
    """Make those of `files` that are not there whole; all of them are, when this returns. How many this process made.

    `make(i, path)` writes file i to `path` and returns what its record is to say of it, which is JSON; the same bytes
    whoever makes it. Every byte of this worker's share of `files` is looked at, of the others that there is a record.
    """
    made = 0
    with progress.task(what, len(files)) as task:
        damaged = _damaged(files, place)
        waiting = deque(_in_order(len(files), place))
        while waiting:
            held: deque[int] = deque()
            for i in waiting:
                progress.doing(f"{what}: file {i + 1} of {len(files)}")
                try:
                    made += _make(files[i], i, make, wait=False, damaged=i in damaged)
                    task.advance()
                except Held:
                    held.append(i)
            if len(held) == len(waiting):  # all are in others' hands: when one lets go, it is there, or ours to make
                progress.doing(f"{what}: waiting for other workers")
                i = held.popleft()
                made += _make(files[i], i, make, wait=True, damaged=i in damaged)
                task.advance()
            waiting = held
    return made


def record_of(file: Path) -> Path:
    """The sealed record, which says that `file` is whole."""
    return file.with_suffix(".json")


def _damaged(files: Sequence[Path], place: Place) -> set[int]:
    """Of this worker's share, those whose record no longer holds."""
    records = {i: record_of(files[i]) for i in range(place.rank, len(files), place.count)}
    return {i for i, record in records.items() if record.exists() and unseal(record) is None}


def _in_order(count: int, place: Place) -> Iterable[int]:
    """From this worker's own place in the row on: then workers seldom meet."""
    first = place.rank * count // place.count
    return (*range(first, count), *range(first))


def _make(file: Path, number: int, make: Make, *, wait: bool, damaged: bool) -> bool:
    """Whether it was made now, and not by another before. Raises Held without `wait`."""
    if not damaged and record_of(file).exists():
        return False
    with _taken(file, wait):
        if record_of(file).exists() and not (damaged and unseal(record_of(file)) is None):
            return False
        with write_atomically(file) as new:
            said = make(number, new)
        seal(record_of(file), said, [file])
        return True


@contextmanager
def _taken(file: Path, wait: bool) -> Iterator[None]:
    """Who comes late to a lock that is removed finds the file whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = file.with_name(f".{file.name}.lock")
    with locked(lock, wait=wait, needed=False):
        yield
        lock.unlink(missing_ok=True)
