"""A shelf on a folder that machines may share: a local disk, NFS, or what else renames at once."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from secrets import token_hex

from exporter.cache.shelf import LARGEST_SMALL_BYTES, LAYOUT, SHARD, Stored
from exporter.errors import UnusablePath
from exporter.failures import FULL, disk_full
from exporter.files.atomic import wait_for_disk

NEW = "new"  # what is being written, until it is renamed
_TRIES = 100
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EACCES})


class FolderShelf:
    """`folder`/v1/ab/<entry>/<file>, and `folder`/v1/new/ for what is not whole yet."""

    def __init__(self, folder: Path, *, make: bool = True) -> None:
        """Raises UnusablePath where no store is, and with `make` where none can be."""
        self.place, self._root = str(folder), folder / LAYOUT
        if not make and not self._root.is_dir():
            raise UnusablePath(f"{folder} is no store", hint=f"an export makes one: --store {folder}")
        if not folder.is_dir() and not folder.absolute().parent.is_dir():
            raise UnusablePath(
                f"{folder} is not there, nor the folder it would lie in",
                hint="is the shared drive mounted? A store is made in a folder that is there",
            )
        self._new = self._root / NEW
        self._new.mkdir(parents=True, exist_ok=True)

    def create(self, name: str, content: bytes) -> None:
        with self._written(lambda new: _write(new, content)) as new:
            try:
                self._placed(name, partial(os.link, new))  # unlike a rename it takes no other file's place
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                self._placed(name, lambda path: _write_where_none_is(path, content))

    def replace(self, name: str, content: bytes) -> None:
        with self._written(lambda new: _write(new, content, to_disk=True)) as new:
            self._placed(name, new.replace)

    def touch(self, name: str) -> None:
        with self._written(lambda new: _write(new, b"")) as new:
            self._placed(name, new.replace)

    def refresh(self, name: str, content: bytes) -> None:
        os.utime(self._root / name)  # no times given: the file server takes its own

    def read(self, name: str) -> bytes:
        path = self._plain(name)
        if path.stat().st_size > LARGEST_SMALL_BYTES:
            raise UnusablePath(f"{path} is larger than anything of its kind")
        return path.read_bytes()

    def modified_s(self, name: str) -> float:
        return (self._root / name).lstat().st_mtime

    def put(self, name: str, file: Path) -> None:
        with self._written(lambda new: _same_or_copy(file, new, to_disk=True)) as new:
            mode = stat.S_IMODE(new.stat().st_mode)
            if mode | self._mode != mode:  # some libraries write for their user alone
                new.chmod(mode | self._mode)
            self._placed(name, new.replace)

    def get(self, name: str, file: Path) -> None:
        _same_or_copy(self._plain(name), file)

    def remove(self, name: str) -> None:
        (self._root / name).unlink(missing_ok=True)

    def remove_entry(self, entry: str) -> None:
        with suppress(OSError):  # somebody has come meanwhile
            (self._root / entry).rmdir()

    def files(self, entry: str) -> list[Stored]:
        try:
            with os.scandir(self._root / entry) as found:
                return [stored for item in found if (stored := _stored(item)) is not None]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def entries(self) -> Iterator[tuple[str, list[Stored]]]:
        for shard in sorted(name for name in _names(self._root) if SHARD.fullmatch(name)):
            for entry in _names(self._root / shard):
                yield f"{shard}/{entry}", self.files(f"{shard}/{entry}")

    def now_s(self) -> float:
        with self._written(lambda new: _write(new, b"")) as new:
            os.utime(new)  # as `refresh` does it
            return new.stat().st_mtime

    @cached_property
    def _mode(self) -> int:
        """What users may do with a file that this one makes."""
        with self._written(lambda new: _write(new, b"")) as new:
            return stat.S_IMODE(new.stat().st_mode)

    def clear_leavings(self, age_s: float) -> int:
        now_s, cleared_bytes = self.now_s(), 0
        for name in _names(self._new):
            path = self._new / name
            with suppress(OSError):
                found = path.lstat()
                if now_s - found.st_mtime > age_s and now_s - found.st_ctime > age_s:  # a link is as old as its file
                    path.unlink()
                    cleared_bytes += found.st_size if found.st_nlink == 1 else 0
        return cleared_bytes

    def _plain(self, name: str) -> Path:
        """Neither a link, which leads anywhere, nor a pipe, which makes its reader wait for ever."""
        path = self._root / name
        if not stat.S_ISREG(path.lstat().st_mode):
            raise UnusablePath(f"{path} is no plain file")
        return path

    @contextmanager
    def _written(self, write: Callable[[Path], None]) -> Iterator[Path]:
        path = self._new / token_hex(12)
        try:
            write(path)
            yield path
        except OSError as error:
            if error.errno in FULL:
                raise disk_full(self.place) from error
            raise
        finally:
            path.unlink(missing_ok=True)

    def _placed(self, name: str, place: Callable[[Path], object]) -> None:
        """The folder is made where it is not, also when somebody removes it in between, being empty."""
        path = self._root / name
        for last in (*[False] * _TRIES, True):
            try:
                place(path)
                return
            except FileNotFoundError:
                if last:
                    raise
            path.parent.mkdir(parents=True, exist_ok=True)


def _write(path: Path, content: bytes, *, to_disk: bool = False) -> None:
    with path.open("xb") as file:
        file.write(content)
        if to_disk:
            file.flush()
            os.fsync(file.fileno())


def _write_where_none_is(path: Path, content: bytes) -> None:
    """On a drive without hard links. A reader that comes in between finds it empty, and comes again."""
    with path.open("xb") as file:
        file.write(content)


def _same_or_copy(source: Path, target: Path, *, to_disk: bool = False) -> None:
    """One file under two names where the file system has that; bytes are looked at whenever they are taken."""
    if not source.is_symlink():
        try:
            os.link(source, target)
            if to_disk:
                wait_for_disk(target)
            return
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
    shutil.copyfile(source, target)
    if to_disk:
        wait_for_disk(target)


def _names(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as found:
            return [item.name for item in found]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _stored(item: os.DirEntry[str]) -> Stored | None:
    try:
        found = item.stat(follow_symlinks=False)
    except FileNotFoundError:  # removed since it was listed
        return None
    return Stored(item.name, found.st_size, found.st_mtime, found.st_nlink)
