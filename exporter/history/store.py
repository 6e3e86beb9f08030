"""Where the records lie: STORE/<name>@<version>.json, each made once and never changed.

No file speaks of another, so two that add at the same time take nothing from each other, and one that is interrupted
leaves nothing. A folder of this machine, or whatever fsspec opens: s3://bucket/path, memory://path.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from exporter.errors import BundleError, RecipeError, UnusablePath
from exporter.files.addresses import blamed_on_address, is_local, local_folder, open_address, shown
from exporter.files.atomic import create_atomically
from exporter.files.plain_json import json_text
from exporter.history.record import Record, read_record

_AT, _ENDING = "@", ".json"  # neither names nor versions hold the first
_LARGEST_BYTES = 16 << 20  # a record of a hundred targets on a thousand pictures takes a tenth of it


class Shelf(Protocol):
    """A place that holds files by name, such as mobile_deblur@1.0.0.json."""

    def names(self) -> list[str]: ...

    def read(self, name: str) -> bytes: ...

    def create(self, name: str, content: bytes) -> None:
        """Raises FileExistsError when there is one; then that stays."""


class Store:
    """Releases, in the order they were added."""

    def __init__(self, place: str) -> None:
        """Reads nothing yet. Raises RecipeError for an address nobody knows, MissingTool where a package is absent."""
        if not place:
            raise RecipeError("no store is named", hint="a folder, or an address such as s3://bucket/path")
        self.place = shown(place.rstrip("/") or place)
        self._shelf: Shelf = _Folder(local_folder(place)) if is_local(place) else _Remote(place)

    def add(self, record: Record) -> bool:
        """Whether it is new; not, when just this release is there already.

        Raises BundleError when another one has its name and version.
        """
        name = _file_of(record)
        try:
            self._shelf.create(name, (json_text(record.model_dump()) + "\n").encode())
        except FileExistsError:
            kept = self._read(name)
            if kept.sums_sha256 == record.sums_sha256:
                return False
            raise BundleError(
                f"{self.place} holds another {record.name} {record.version}, added {kept.day}: "
                f"its SHA256SUMS has sha256 {kept.sums_sha256[:12]}…, this one's {record.sums_sha256[:12]}…",
                hint="a history is only added to: give the release a version of its own",
            ) from None
        return True

    def records(self) -> list[Record]:
        """Raises BundleError for what is no record, UnusablePath where there is no store."""
        names = sorted(name for name in self._shelf.names() if name.endswith(_ENDING) and _AT in name)
        return sorted((self._read(name) for name in names), key=lambda record: (record.added, record.name))

    def _read(self, name: str) -> Record:
        where = f"{self.place}/{name}"
        record = read_record(self._shelf.read(name), where)
        if name != _file_of(record):
            raise BundleError(f"{where} says it is {record.name} {record.version}: it is damaged, or was changed")
        return record


def _file_of(record: Record) -> str:
    return f"{record.name}{_AT}{record.version}{_ENDING}"


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        if not self._folder.is_dir():
            raise UnusablePath(
                f"{self._folder} is no folder", hint=f"exporter history {self._folder} add BUNDLE makes it"
            )
        return [path.name for path in self._folder.iterdir()]

    def read(self, name: str) -> bytes:
        path = self._folder / name
        if path.is_symlink() or not path.is_file():
            raise BundleError(f"{path} is no plain file")
        if (size_bytes := path.stat().st_size) > _LARGEST_BYTES:
            raise BundleError(f"{path} has {size_bytes} bytes, more than any record needs")
        return path.read_bytes()

    def create(self, name: str, content: bytes) -> None:
        if self._folder.exists() and not self._folder.is_dir():
            raise UnusablePath(f"{self._folder} is no folder")
        create_atomically(self._folder / name, content)


class _Remote:
    """What fsspec opens; S3 makes an object whole, and with `create` only where none is. No bucket is made."""

    def __init__(self, place: str) -> None:
        self._place = shown(place)
        self._files, self._root = open_address(place)

    def names(self) -> list[str]:
        with blamed_on_address(self._place):
            self._files.invalidate_cache()
            return [str(path).rpartition("/")[2] for path in self._files.find(self._root, maxdepth=1)]

    def read(self, name: str) -> bytes:
        with blamed_on_address(self._place):
            size_bytes = int(self._files.size(self._path(name)))
            if size_bytes <= _LARGEST_BYTES:
                return bytes(self._files.cat_file(self._path(name)))
        raise BundleError(f"{self._place}/{name} has {size_bytes} bytes, more than any record needs")

    def create(self, name: str, content: bytes) -> None:
        with blamed_on_address(self._place):
            self._files.pipe_file(self._path(name), content, mode="create")

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"
