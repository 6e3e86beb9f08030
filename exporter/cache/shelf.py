"""Where the entries of a store lie: small files and large ones by name, on a shared folder or in a bucket.

A name is `ab/distill-ab12…/record.json`: two digits of the key, the entry, the file. No folder holds more than a part
of the entries, because drives over a network hand out long listings page by page (docs/many_machines.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

STORE = "EXPORTER_STORE"  # in the environment: the place of one, for commands that take --store
LAYOUT = "v1"
SHARD = re.compile(r"[0-9a-f]{2}")
LARGEST_SMALL_BYTES = 16 << 20  # of what is read into memory


@dataclass(frozen=True, slots=True)
class Stored:
    """`modified_s`: by the clock of whoever keeps the file, not ours. `links`: folders that hold the very same file."""

    name: str
    size_bytes: int
    modified_s: float
    links: int = 1


class Shelf(Protocol):
    """Everything appears whole. What is not there raises FileNotFoundError, other trouble OSError or an ExportError."""

    place: str  # as it is shown

    def create(self, name: str, content: bytes) -> None:
        """Of several one makes it. Raises FileExistsError when another has; then that stays."""

    def replace(self, name: str, content: bytes) -> None:
        """It is on disk when this returns."""

    def touch(self, name: str) -> None:
        """An empty file, as new as one can be; the disk may come to know of it later."""

    def refresh(self, name: str, content: bytes) -> None:
        """Make `name`, which holds `content`, as new as a file made now."""

    def read(self, name: str) -> bytes: ...

    def modified_s(self, name: str) -> float: ...

    def put(self, name: str, file: Path) -> None:
        """Keep `file` as `name`; where both can be one file, they are."""

    def get(self, name: str, file: Path) -> None:
        """The reverse; `file` is not there yet."""

    def remove(self, name: str) -> None:
        """Nothing happens when it is not there."""

    def remove_entry(self, entry: str) -> None:
        """Remove the folder of `entry` if nothing is in it."""

    def files(self, entry: str) -> list[Stored]:
        """What lies in `entry`; nothing where there is none."""

    def entries(self) -> Iterator[tuple[str, list[Stored]]]:
        """Every entry with its files, a few in memory at a time."""

    def now_s(self) -> float:
        """The time by the clock that `modified_s` goes by: clocks of machines differ, the store's is one."""

    def clear_leavings(self, age_s: float) -> int:
        """Remove what killed processes left half-written for longer than that; how many bytes it was."""
