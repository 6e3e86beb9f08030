"""A store of finished stages that runs, users and machines share.

An entry is named after the digest of everything that its result was made from, and holds each file under the digest of
its bytes. `record.json` comes last and makes it count; `used` is as old as the last use. Whoever takes an entry checks
every byte, and that it was made from just what is wanted. Records are JSON, nothing of an entry is run; but who may
write to a store decides what its readers get, as with a folder of weights.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from exporter.cache.folder_shelf import FolderShelf
from exporter.cache.holder import LEASE_S, Holder
from exporter.cache.lease import LEASE, READING, Lease, claim, reading
from exporter.cache.made_from import Parts, read_record
from exporter.cache.remote_shelf import RemoteShelf
from exporter.cache.sealed import unseal
from exporter.cache.shelf import Shelf
from exporter.errors import ExportError, RecipeError
from exporter.failures import in_one_line
from exporter.files.addresses import is_local, local_folder
from exporter.files.atomic import PREFIX, replace_folder

RECORD, USED = "record.json", "used"
_SCHEMA = 1
_INLINE_BYTES = 64 << 10  # of texts that lie in the record itself: each file of a bucket costs a call
_FIRST_POLL_S, _LAST_POLL_S, _SAID_AFTER_S = 0.02, 2.0, 0.5


@dataclass(frozen=True, slots=True)
class Key:
    """`parts`: what the result is made from. `machine`: what of a machine decides how sums of floats are rounded."""

    stage: str
    parts: Parts
    machine: Mapping[str, str]

    @property
    def entry(self) -> str:
        text = json.dumps([dict(self.parts), dict(self.machine)], sort_keys=True)
        digest = sha256(text.encode()).hexdigest()
        return f"{digest[:2]}/{self.stage}-{digest}"


class _Damaged(Exception):
    """An entry is not what was written."""


def open_store(place: str, *, make: bool = True) -> Shelf:
    """The store at a folder, or an address such as s3://bucket/path; with `make` a folder for it is made.

    Raises RecipeError, MissingTool, UnusablePath or MachineFailed for one that cannot be used.
    """
    if not place:
        raise RecipeError("no store is named", hint="--store DIR, or an address such as s3://bucket/path")
    return FolderShelf(local_folder(place), make=make) if is_local(place) else RemoteShelf(place)


class Store:
    """`say` is told who is awaited, and when the store fails: then this run goes on as if there were none."""

    def __init__(self, shelf: Shelf, say: Callable[[str], None], lease_s: float = LEASE_S) -> None:
        self.shelf, self._say, self._lease_s = shelf, say, lease_s
        self._failed = False

    def fetch(self, key: Key, record: Path) -> bool:
        """Make the folder of `record`, sealed, from the entry of `key`; False when there is no whole one.

        Raises nothing: a store that fails has nothing.
        """
        if self._failed:
            return False
        try:
            return self._fetched(key, record)
        except (OSError, ExportError) as error:
            self._fail(error)
            return False

    def once(self, key: Key, record: Path, make: Callable[[], None], recipe: str = "") -> None:
        """Have the folder of `record` made by one process of all that ask: by `make` here, or elsewhere and fetched."""
        with ExitStack() as held:
            if self._taken(key, record, held):
                return
            make()
            if not self._failed:
                try:
                    self._publish(key, record, recipe)
                except (OSError, ExportError) as error:
                    self._fail(error)

    def _taken(self, key: Key, record: Path, held: ExitStack) -> bool:
        """Whether another has made it; if not, a lease is entered into `held`, or the store has failed."""
        try:
            while not self._failed:
                if self._fetched(key, record):
                    return True
                if (lease := self._claimed(key)) is None:
                    continue
                held.enter_context(lease)
                if self._fetched(key, record):
                    return True
                self._discard(key.entry)  # damaged, or half of what a killed process wrote
                return False
        except (OSError, ExportError) as error:
            self._fail(error)
        return False

    def _claimed(self, key: Key) -> Lease | None:
        """A lease of the entry, or None when whoever had it is done."""
        began_s, pause_s = time.monotonic(), _FIRST_POLL_S
        awaited: tuple[str, int] | None = None
        while isinstance(found := claim(self.shelf, key.entry, self._lease_s), Holder):
            if time.monotonic() - began_s > _SAID_AFTER_S and awaited != (found.host, found.pid):
                self._say(f"{key.stage}: waiting for {found}, who is at the same")
                awaited = found.host, found.pid
            time.sleep(pause_s)
            pause_s = min(1.5 * pause_s, _LAST_POLL_S)
        return found

    def _fetched(self, key: Key, record: Path) -> bool:
        entry = key.entry
        if self._record(entry) is None:
            return False
        with reading(self.shelf, entry):  # now it stays, if it has stayed until now
            found = self._record(entry)
            if found is None:
                return False
            try:
                with replace_folder(record.parent, to_disk=False) as new:
                    self._fill(new, entry, found, key, record.name)
            except (_Damaged, FileNotFoundError):
                return False
            self.shelf.touch(f"{entry}/{USED}")
        return True

    def _fill(self, new: Path, entry: str, found: dict[str, Any], key: Key, record: str) -> None:
        """The files of an entry into `new`, its record last. Raises _Damaged."""
        try:
            files, inline = dict(found["seal"]["files"]), dict(found["inline"])
            if found["machine"] != dict(key.machine) or not all(map(_stays_inside, files)) or record in files:
                raise _Damaged
            if found["seal"]["content"]["path"] not in files:
                raise _Damaged
            for name, digest in files.items():
                file = new / name
                file.parent.mkdir(parents=True, exist_ok=True)
                if name in inline:
                    file.write_bytes(inline[name].encode())
                elif len(digest) == 64 and digest.isalnum():
                    self.shelf.get(f"{entry}/{digest}", file)
                else:
                    raise _Damaged
            (new / record).write_text(_sealed_text(found["seal"]))
        except (KeyError, TypeError, AttributeError, ValueError):
            raise _Damaged from None
        if unseal(new / record) is None or read_record(new) != dict(key.parts):
            raise _Damaged

    def _publish(self, key: Key, record: Path, recipe: str) -> None:
        """Content first, the record last. What was not kept here, or is damaged, is not published."""
        folder = record.parent
        if read_record(folder) != dict(key.parts) or unseal(record) is None:
            return
        seal = json.loads(record.read_bytes())
        inline = {name: text for name in seal["files"] if (text := _short_text(folder / name)) is not None}
        for name, digest in seal["files"].items():
            if name not in inline:
                self.shelf.put(f"{key.entry}/{digest}", folder / name)
        content = {
            "schema_version": _SCHEMA,
            "stage": key.stage,
            "recipe": recipe,
            "machine": dict(key.machine),
            "inline": inline,
            "seal": seal,
        }
        self.shelf.touch(f"{key.entry}/{USED}")
        self.shelf.replace(f"{key.entry}/{RECORD}", json.dumps(content).encode())

    def _record(self, entry: str) -> dict[str, Any] | None:
        return read_entry(self.shelf, entry)

    def _discard(self, entry: str) -> None:
        """For who holds the lease: the record first, so that nobody takes what is going."""
        self.shelf.remove(f"{entry}/{RECORD}")
        for stored in self.shelf.files(entry):
            if not stored.name.startswith((LEASE, READING)):
                self.shelf.remove(f"{entry}/{stored.name}")

    def _fail(self, error: Exception) -> None:
        self._failed = True
        said = str(error).partition("\n")[0] if isinstance(error, ExportError) else in_one_line(error)
        self._say(f"warning: the store cannot be used: {said}; going on without it")


def read_entry(shelf: Shelf, entry: str) -> dict[str, Any] | None:
    """The record of `entry`; None without one, or when it is none."""
    try:
        found = json.loads(shelf.read(f"{entry}/{RECORD}"))
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and found.get("schema_version") == _SCHEMA else None


def _stays_inside(name: object) -> bool:
    """Whether it names a file in or below the folder that an entry is put into."""
    if not isinstance(name, str) or not name or "\\" in name or "\0" in name:
        return False
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and not any(p.startswith(PREFIX) for p in path.parts)


def _short_text(file: Path) -> str | None:
    if file.stat().st_size > _INLINE_BYTES:
        return None
    try:
        text = file.read_bytes().decode()
    except UnicodeDecodeError:
        return None
    return text


def _sealed_text(seal: object) -> str:
    """As `seal` writes it."""
    return json.dumps(seal, indent=1) + "\n"
