"""Which pictures a folder holds and what is in them: a list on the disk, so that memory does not grow with it.

A picture is read for its digest once, as long as its size and times stay (git does the same). Pictures of one content
count once, whatever they are called and wherever they lie.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby, islice
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from exporter.artifact import sha256_of
from exporter.cache.sealed import seal, unseal
from exporter.data.folders import walk_pictures
from exporter.data.training import training_pairs
from exporter.errors import DataError
from exporter.files.atomic import write_atomically
from exporter.files.locking import locked
from exporter.progress import Progress

TABLE = "CREATE TABLE picture (path BLOB PRIMARY KEY, other BLOB, stamp TEXT, sha256 TEXT) WITHOUT ROWID"
IN_ORDER = "SELECT sha256, min(path), other FROM picture {} GROUP BY sha256 ORDER BY sha256"
AT_ONCE, THREADS = 256, 4  # pictures that are read for their digests
MOST_IN_BUCKET = 64  # pictures, about; half as many at least
BITS = 32  # of a digest, that say which bucket a picture is in
Files = tuple[Path, ...]  # a photograph, or a sharp and a blurred picture
Row = tuple[bytes, bytes | None, str, str]


@dataclass(frozen=True, slots=True)
class Bucket:
    """The pictures whose digests begin alike: another picture in the folder changes one bucket of many."""

    number: int
    sha256: str
    files: tuple[Files, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """Photographs, or pairs, below `folder`, in the order of what is in them. `sha256` changes when a picture does."""

    folder: Path
    file: Path
    count: int
    sha256: str
    paired: bool

    def __len__(self) -> int:
        return self.count

    @property
    def files(self) -> Iterator[Path]:
        """Each picture; of a pair both."""
        return (file for bucket in self.buckets() for files in bucket.files for file in files)

    def buckets(self) -> Iterator[Bucket]:
        """All that are not empty, in order."""
        with _open(self.file) as base:
            rows = base.execute(IN_ORDER.format(""))
            for number, group in groupby(rows, lambda row: self._bucket_of(row[0])):
                yield self._bucket(number, group)

    def bucket(self, number: int) -> Bucket:
        """The one of that number."""
        size = 1 << (BITS - self._bits)
        first, last = f"{number * size:08x}", f"{(number + 1) * size - 1:08x}g"  # g is behind every digit
        with _open(self.file) as base:
            rows = base.execute(IN_ORDER.format("WHERE sha256 BETWEEN ? AND ?"), (first, last))
            return self._bucket(number, rows)

    @property
    def _bits(self) -> int:
        return max(0, -(-self.count // MOST_IN_BUCKET) - 1).bit_length()

    def _bucket_of(self, digest: str) -> int:
        return int(digest[: BITS // 4], 16) >> (BITS - self._bits)

    def _bucket(self, number: int, rows: Iterable[tuple[str, bytes, bytes | None]]) -> Bucket:
        found = [(digest, tuple(self._path(name) for name in names if name is not None)) for digest, *names in rows]
        digest = sha256("".join(each for each, _ in found).encode()).hexdigest()
        return Bucket(number, digest, tuple(files for _, files in found))

    def _path(self, name: bytes) -> Path:
        return self.folder / os.fsdecode(name)


def list_pictures(folder: Path, variant: str, lists: Path, progress: Progress) -> Listing:
    """What is below `folder`, kept in `lists`: photographs, or pairs as `open_training` finds them.

    Of several processes one makes the list, the others wait. Raises DataError for a folder without pictures.
    """
    pairs = training_pairs(folder, variant)
    name = sha256(f"{folder.resolve()} {variant}".encode(errors="surrogateescape")).hexdigest()[:16]
    file = lists / f"{name}.sqlite"
    lists.mkdir(parents=True, exist_ok=True)
    if (whole := _known(file, folder, pairs)) is None:
        with locked(lists / f".{name}.lock", waiting=lambda: progress.say(f"another run lists {folder}: waiting")):
            whole = _known(file, folder, pairs) or _make(file, folder, pairs, progress)
    if not whole.contents:
        raise DataError(f"{folder} holds no training photographs", hint="name a folder of sharp .jpg or .png")
    return Listing(folder, file, whole.contents, whole.sha256, pairs is not None)


def _found(folder: Path, pairs: tuple[Files, ...] | None) -> Iterator[Files]:
    return iter(pairs) if pairs is not None else ((file,) for file in walk_pictures(folder))


class _Whole(NamedTuple):
    """What the record of a list says: pictures, different ones, and one digest of all."""

    rows: int
    contents: int
    sha256: str


def _known(file: Path, folder: Path, pairs: tuple[Files, ...] | None) -> _Whole | None:
    """Of a list that is whole, when the folder still holds just its pictures."""
    if (said := unseal(file.with_suffix(".json"))) is None:
        return None
    whole, found = _Whole(**said), 0
    with _open(file) as base:
        for files in _found(folder, pairs):
            row = base.execute("SELECT stamp FROM picture WHERE path = ?", (_name(files[0], folder),)).fetchone()
            if row is None or row[0] != _stamp(files):
                return None
            found += 1
    return whole if found == whole.rows else None


def _make(file: Path, folder: Path, pairs: tuple[Files, ...] | None, progress: Progress) -> _Whole:
    """Write the list; a picture that the former list knows by its size and times is not read."""
    former = file if unseal(file.with_suffix(".json")) is not None else None
    with write_atomically(file) as new, _full_disk_is_said(file), _open(new, writable=True) as base:
        with _open(former) as known:
            rows = _write(base, known, folder, pairs, progress)
        base.execute("CREATE INDEX content ON picture (sha256, path, other)")
        base.commit()
        whole, count = sha256(), 0
        for digest, *_ in base.execute(IN_ORDER.format("")):
            whole.update(digest.encode())
            count += 1
    said = _Whole(rows, count, whole.hexdigest())
    seal(file.with_suffix(".json"), said._asdict(), [file])
    return said


def _write(
    base: sqlite3.Connection,
    known: sqlite3.Connection,
    folder: Path,
    pairs: tuple[Files, ...] | None,
    progress: Progress,
) -> int:
    found, rows = _found(folder, pairs), 0
    with ThreadPoolExecutor(THREADS) as pool:
        while chunk := list(islice(found, AT_ONCE)):
            names = [(_name(files[0], folder), _stamp(files)) for files in chunk]
            asked = "SELECT sha256 FROM picture WHERE path = ? AND stamp = ?"
            digests = [known.execute(asked, name).fetchone() for name in names]
            jobs = ((files, digest, folder) for files, digest in zip(chunk, digests, strict=True))
            base.executemany("INSERT INTO picture VALUES (?, ?, ?, ?)", pool.map(_described, jobs))
            rows += len(chunk)
            progress.doing(f"reading the pictures in {folder}: {rows} so far")
    return rows


def _described(job: tuple[Files, tuple[str] | None, Path]) -> Row:
    """A picture that is written to meanwhile is read again."""
    files, known, folder = job
    stamp, digest = _stamp(files), known[0] if known else ""
    while not digest or stamp != _stamp(files):
        stamp, digests = _stamp(files), [sha256_of(file) for file in files]
        digest = digests[0] if len(files) == 1 else sha256("".join(digests).encode()).hexdigest()
    return _name(files[0], folder), _name(files[1], folder) if len(files) > 1 else None, stamp, digest


def _name(file: Path, folder: Path) -> bytes:
    return os.fsencode(file.relative_to(folder))


def _stamp(files: Files) -> str:
    found = (file.stat() for file in files)
    return " ".join(f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}" for status in found)


@contextmanager
def _open(file: Path | None, *, writable: bool = False) -> Iterator[sqlite3.Connection]:
    """A finished list never changes: it is read without locks, on any file system. None: an empty one."""
    words = "mode=memory" if file is None else "" if writable else "mode=ro&immutable=1"
    name = "" if file is None else quote(os.fsencode(file.absolute()))
    with closing(sqlite3.connect(f"file:{name}?{words}", uri=True)) as base:
        if writable:  # it is nobody's until it is whole
            base.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
        if writable or file is None:
            base.execute(TABLE)
        yield base


@contextmanager
def _full_disk_is_said(file: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file)) from error
        raise
