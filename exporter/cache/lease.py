"""Who works on an entry: one at a time, until it has said that it is done or has given no sign of life for too long.

A lease is a file that one process makes and nobody else changes; what makes it stay is its age. Who takes over from
TOKEN makes `lease.TOKEN`, which can be made once: so each lease has one successor, however many want it, and whoever
was only slow finds out. `lease`, `lease.<its token>`, … is a chain, and its end holds the entry. Who is done takes
over from itself; then the chain goes, its beginning first, so that what is left of it leads nowhere.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType

from exporter.cache.heartbeat import beating
from exporter.cache.holder import LEASE_S, Holder
from exporter.cache.shelf import Shelf
from exporter.errors import ExportError

LEASE, READING = "lease", "reading."
_LONGEST_CHAIN = 100


class Lease:
    """A lease that this process holds; as a context it ends with it."""

    def __init__(self, shelf: Shelf, entry: str, name: str, holder: Holder) -> None:
        self._shelf, self._entry, self._name, self._holder = shelf, entry, name, holder
        self._beating = beating(shelf, f"{entry}/{name}", holder)

    def __enter__(self) -> Lease:
        self._beating.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._beating.__exit__(None, None, None)
        with suppress(OSError, ExportError):  # a store that is gone: the lease ends by its age
            self._end()

    def _end(self) -> None:
        over, began_s = Holder.here(self._holder.lease_s), time.monotonic()
        try:
            self._shelf.create(f"{self._entry}/{_successor(self._holder)}", over.to_bytes())
        except FileExistsError:  # somebody took over: the chain is theirs
            return
        for name, _ in chain(self._shelf, self._entry):
            if time.monotonic() - began_s > over.patience_s / 2:
                return  # held still for so long that another may have taken over from here
            self._shelf.remove(f"{self._entry}/{name}")
        self._shelf.remove_entry(self._entry)


def claim(shelf: Shelf, entry: str, lease_s: float = LEASE_S) -> Lease | Holder:
    """A lease of `entry` to enter at once, or who has it."""
    while True:
        links = chain(shelf, entry)
        if links and not is_over(shelf, entry, *links[-1]):
            return links[-1][1]
        holder = Holder.here(lease_s)
        name = _successor(links[-1][1]) if links else LEASE
        try:
            shelf.create(f"{entry}/{name}", holder.to_bytes())
        except FileExistsError:  # another was faster
            continue
        if not links or holder.token in (link.token for _, link in chain(shelf, entry)):
            return Lease(shelf, entry, name, holder)
        shelf.remove(f"{entry}/{name}")  # the chain went meanwhile, and another may have begun


def chain(shelf: Shelf, entry: str) -> list[tuple[str, Holder]]:
    """Leases of `entry` by the names of their files, each the successor of the one before."""
    links: list[tuple[str, Holder]] = []
    name = LEASE
    while len(links) < _LONGEST_CHAIN:
        try:
            content = shelf.read(f"{entry}/{name}")
        except FileNotFoundError:
            break
        links.append((name, Holder.read(content)))
        name = _successor(links[-1][1])
    return links


def is_over(shelf: Shelf, entry: str, name: str, holder: Holder) -> bool:
    """Whether `holder` has ended, or has shown no life for as long as its lease lasts."""
    if holder.is_gone:
        return True
    try:
        return shelf.now_s() - shelf.modified_s(f"{entry}/{name}") > holder.patience_s
    except FileNotFoundError:
        return True


@contextmanager
def reading(shelf: Shelf, entry: str) -> Iterator[None]:
    """A mark in `entry` that somebody reads it, so that pruning leaves it."""
    holder = Holder.here()
    name = f"{entry}/{READING}{holder.token}"
    shelf.create(name, holder.to_bytes())
    try:
        with beating(shelf, name, holder):
            yield
    finally:
        with suppress(OSError, ExportError):
            shelf.remove(name)


def _successor(holder: Holder) -> str:
    return f"{LEASE}.{holder.token}"
