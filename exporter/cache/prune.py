"""Making room: what was not used for longest goes first, and nothing that somebody is at."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from exporter.cache.entries import Entry, Pruned, entry_of, is_left, is_read
from exporter.cache.holder import Holder
from exporter.cache.lease import READING, chain, claim
from exporter.cache.shelf import Shelf, Stored
from exporter.cache.store import RECORD, USED

LEFT_S = 3600.0  # what is half-written and was not touched for longer is a killed process's


def prune_store(shelf: Shelf, to_bytes: int, older_than_s: float = 0.0) -> Pruned:
    """Remove entries that were not used for `older_than_s`, the longest unused first, until `to_bytes` are left."""
    now_s, leavings_bytes = shelf.now_s(), shelf.clear_leavings(LEFT_S)
    found: list[Entry] = []
    for name, files in shelf.entries():
        if not files:
            shelf.remove_entry(name)
            continue
        for stored in files:
            if stored.name.startswith(READING) and is_left(shelf, name, stored.name):
                shelf.remove(f"{name}/{stored.name}")
        entry = entry_of(shelf, name, files)
        if entry.state == "unfinished" and now_s - entry.used_s > LEFT_S:
            leavings_bytes += entry.size_bytes if _remove(shelf, entry) else 0
        else:
            found.append(entry)
    before_s = now_s - older_than_s if older_than_s else math.inf  # a clock of whole seconds is behind what it dates
    return prune(found, to_bytes, before_s, lambda entry: _remove(shelf, entry), leavings_bytes)


def prune(
    entries: Iterable[Entry],
    to_bytes: int,
    before_s: float,
    remove: Callable[[Entry], bool | None],
    leavings_bytes: int = 0,
) -> Pruned:
    """Of `entries` that were last used `before_s`. `remove`: True when it did, None when another has, False where it
    must not, because it is in use."""
    found = sorted(entries, key=lambda entry: entry.used_s)
    left, left_bytes = len(found), sum(entry.size_bytes for entry in found)
    removed = removed_bytes = freed_bytes = spared = 0
    for entry in found:
        if left_bytes <= to_bytes or entry.used_s > before_s:
            break
        if entry.state == "unfinished":
            continue
        gone = False if entry.state == "in use" else remove(entry)
        if gone is False:
            spared += 1
            continue
        left, left_bytes = left - 1, left_bytes - entry.size_bytes
        if gone:
            removed, removed_bytes = removed + 1, removed_bytes + entry.size_bytes
            freed_bytes += entry.freed_bytes
    return Pruned(removed, removed_bytes, freed_bytes, left, left_bytes, spared, leavings_bytes)


def _remove(shelf: Shelf, entry: Entry) -> bool | None:
    """A reader leaves a mark and then looks for the record, we remove the record and then look for marks: if it has
    found the record, we find its mark, and the record comes back.
    """
    lease = claim(shelf, entry.name)
    if isinstance(lease, Holder):
        return False
    with lease:
        files = shelf.files(entry.name)
        ours = {name for name, _ in chain(shelf, entry.name)}
        content = [stored.name for stored in files if stored.name not in ours]  # with leases that lead nowhere
        if not content:
            return None
        if _used_since(shelf, entry, files) or is_read(shelf, entry.name, files):
            return False
        record = _read(shelf, f"{entry.name}/{RECORD}")
        shelf.remove(f"{entry.name}/{RECORD}")
        if is_read(shelf, entry.name, shelf.files(entry.name)):
            if record is not None:
                shelf.replace(f"{entry.name}/{RECORD}", record)
            return False
        for name in content:
            shelf.remove(f"{entry.name}/{name}")
    return True


def _used_since(shelf: Shelf, entry: Entry, files: Iterable[Stored]) -> bool:
    """Whether it was made or used after it was listed."""
    return any(stored.modified_s > entry.used_s for stored in files if stored.name in (RECORD, USED))


def _read(shelf: Shelf, name: str) -> bytes | None:
    try:
        return shelf.read(name)
    except FileNotFoundError:
        return None
