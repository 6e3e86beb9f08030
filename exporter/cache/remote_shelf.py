"""A shelf in a bucket, or wherever else fsspec makes objects whole and, where asked to, only where none is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Any

from exporter.cache.shelf import LARGEST_SMALL_BYTES, LAYOUT, SHARD, Stored
from exporter.errors import MachineFailed, UnusablePath
from exporter.files.addresses import blamed_on_address, open_address, shown

CLOCK_S = 60  # how long the difference between our clock and the store's is believed


class RemoteShelf:
    """`place`/v1/ab/<entry>/<file>; no bucket is made."""

    def __init__(self, place: str) -> None:
        """Raises RecipeError, MissingTool, UnusablePath or MachineFailed when the place cannot be used."""
        self.place = shown(place.rstrip("/"))
        self._files, root = open_address(place, use_listings_cache=False)
        self._root = f"{root.rstrip('/')}/{LAYOUT}"
        self._clock: tuple[float, float] | None = None
        with blamed_on_address(self.place):
            self.now_s()  # says at once when nothing can be written there

    def create(self, name: str, content: bytes) -> None:
        with self._blamed():
            self._files.pipe_file(self._at(name), content, mode="create")

    def replace(self, name: str, content: bytes) -> None:
        with self._blamed():
            self._files.pipe_file(self._at(name), content)

    def touch(self, name: str) -> None:
        self.replace(name, b"")

    def refresh(self, name: str, content: bytes) -> None:
        self.replace(name, content)

    def read(self, name: str) -> bytes:
        with self._blamed():
            content = bytes(self._files.cat_file(self._at(name), start=0, end=LARGEST_SMALL_BYTES + 1))
        if len(content) > LARGEST_SMALL_BYTES:
            raise UnusablePath(f"{self.place}/{name} is larger than anything of its kind")
        return content

    def modified_s(self, name: str) -> float:
        with self._blamed():
            return float(self._files.modified(self._at(name)).timestamp())

    def put(self, name: str, file: Path) -> None:
        with self._blamed():
            self._files.put_file(str(file), self._at(name))

    def get(self, name: str, file: Path) -> None:
        with self._blamed():
            self._files.get_file(self._at(name), str(file))

    def remove(self, name: str) -> None:
        with self._blamed(), suppress(FileNotFoundError):
            self._files.rm_file(self._at(name))

    def remove_entry(self, entry: str) -> None:
        """A bucket has no folders."""

    def files(self, entry: str) -> list[Stored]:
        return [stored for _, stored in self._found(entry)]

    def entries(self) -> Iterator[tuple[str, list[Stored]]]:
        with self._blamed():
            try:
                shards = [str(path).rstrip("/").rpartition("/")[2] for path in self._files.ls(self._root, detail=False)]
            except FileNotFoundError:
                return
        for shard in sorted(filter(SHARD.fullmatch, shards)):
            of_entries: dict[str, list[Stored]] = {}
            for entry, stored in self._found(shard):
                of_entries.setdefault(f"{shard}/{entry}", []).append(stored)
            yield from of_entries.items()

    def now_s(self) -> float:
        here_s = time.monotonic()
        if self._clock is None or here_s - self._clock[0] > CLOCK_S:
            name = f"clock-{token_hex(8)}"
            self.touch(name)
            self._clock = here_s, self.modified_s(name)
            self.remove(name)
        began_s, there_s = self._clock
        return there_s + here_s - began_s

    def clear_leavings(self, age_s: float) -> int:
        """Objects are made whole; parts of an upload that was broken off go by the bucket's own rule."""
        return 0

    def _found(self, folder: str) -> list[tuple[str, Stored]]:
        """The name of each file's folder, and the file."""
        with self._blamed():
            self._files.invalidate_cache()
            try:
                listed: dict[str, dict[str, Any]] = self._files.find(self._at(folder), detail=True)
            except FileNotFoundError:
                return []
        found = []
        for path, info in listed.items():
            entry, _, name = str(path).rpartition("/")
            stored = Stored(name, int(info.get("size") or 0), _modified_s(info))
            found.append((entry.rpartition("/")[2], stored))
        return found

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _blamed(self) -> AbstractContextManager[None]:
        return blamed_on_address(self.place, FileNotFoundError)


def _modified_s(info: dict[str, Any]) -> float:
    """Every file system of fsspec calls it otherwise."""
    for key in ("LastModified", "last_modified", "updated", "mtime", "modified", "created"):
        value: Any = info.get(key)
        if hasattr(value, "timestamp"):
            return float(value.timestamp())
        if isinstance(value, int | float):
            return float(value)
    raise MachineFailed(f"the store does not say how old {info.get('name')} is")
