"""What a store or a build folder keeps: how large, how old, last used when, and whether somebody is at it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from exporter.cache.holder import Holder
from exporter.cache.lease import LEASE, READING, chain, is_over
from exporter.cache.shelf import Shelf, Stored
from exporter.cache.store import RECORD, USED, read_entry

# unfinished: without a result; of a store half of what a killed process wrote, of a build folder a stage to go on with
State = Literal["", "in use", "unfinished"]


@dataclass(frozen=True, slots=True)
class Entry:
    """`freed_bytes`: what goes with it; the rest is held by other folders, which have the very same files."""

    name: str
    size_bytes: int
    freed_bytes: int
    made_s: float  # by the store's clock, as used_s
    used_s: float
    state: State = ""

    @property
    def stage(self) -> str:
        return self.name.rpartition("/")[2].rpartition("-")[0]

    @property
    def key(self) -> str:
        """As much of it as tells entries apart."""
        return self.name.rpartition("-")[2][:16]


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed and what is left. `spared`: entries that would have gone, but are in use."""

    entries: int
    bytes: int
    freed_bytes: int
    left: int
    left_bytes: int
    spared: int
    leavings_bytes: int  # of killed processes


def entries_of(shelf: Shelf) -> Iterator[Entry]:
    """Everything in a store, in no order."""
    return (entry_of(shelf, name, files) for name, files in shelf.entries() if files)


def entry_of(shelf: Shelf, name: str, files: Sequence[Stored]) -> Entry:
    by_name = {stored.name: stored for stored in files}
    made_s = max(stored.modified_s for stored in files)
    used_s = made_s
    if record := by_name.get(RECORD):
        made_s = record.modified_s
        used_s = max(made_s, by_name[USED].modified_s) if USED in by_name else made_s
    state: State = "in use" if is_in_use(shelf, name, files) else "" if record else "unfinished"
    return Entry(
        name,
        sum(stored.size_bytes for stored in files),
        sum(stored.size_bytes for stored in files if stored.links == 1),
        made_s,
        used_s,
        state,
    )


def is_in_use(shelf: Shelf, entry: str, files: Sequence[Stored]) -> bool:
    """Whether somebody makes it or reads it now."""
    return (any(stored.name == LEASE for stored in files) and _is_leased(shelf, entry)) or is_read(shelf, entry, files)


def is_read(shelf: Shelf, entry: str, files: Sequence[Stored]) -> bool:
    return any(not is_left(shelf, entry, stored.name) for stored in files if stored.name.startswith(READING))


def is_left(shelf: Shelf, entry: str, mark: str) -> bool:
    """Whether nobody stands behind the file of a holder any more."""
    try:
        holder = Holder.read(shelf.read(f"{entry}/{mark}"))
    except FileNotFoundError:
        return True
    return is_over(shelf, entry, mark, holder)


def recipe_of(shelf: Shelf, entry: str) -> str:
    """The recipe that it was first made for; empty where nobody knows."""
    found = read_entry(shelf, entry)
    named = found.get("recipe") if found else None
    return named if isinstance(named, str) else ""


def _is_leased(shelf: Shelf, entry: str) -> bool:
    links = chain(shelf, entry)
    return bool(links) and not is_over(shelf, entry, *links[-1])
