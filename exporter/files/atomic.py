"""Files and folders that appear whole or not at all, whoever else writes there and whenever the process is killed.

What is not finished lies beside its place in a folder `.unfinished-…` that its process holds a lock in. The lock ends
with the process, so the next one that writes there knows what a killed one left, and clears it away.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from exporter.errors import ExportError
from exporter.failures import disk_full, is_disk_full
from exporter.files.locking import Held, locked

PREFIX = ".unfinished-"
LOCK = "lock"
NEW, FORMER = "new", "former"
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})  # FAT, some network drives
_cleared: set[Path] = set()  # folders this process has looked for leavings in


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """A name to write a file to, `path`'s own in another folder beside it; the file takes `path`'s place at the end.

    It is on disk before it does. After an error or a signal `path` is as it was and nothing else is left. Raises
    DiskFull; other errors of the operating system name `path`.
    """
    with _blamed_on(path), _unfinished(path.parent) as scratch:
        new = scratch / NEW / path.name
        yield new
        wait_for_disk(new)
        new.replace(path)
        wait_for_disk(path.parent)


def create_atomically(path: Path, content: bytes) -> None:
    """A file that appears whole, and only where none was: of several processes one makes it.

    Raises FileExistsError when another has; then nothing is changed.
    """
    with _blamed_on(path), _unfinished(path.parent) as scratch:
        new = scratch / NEW / path.name
        new.write_bytes(content)
        wait_for_disk(new)
        try:
            path.hardlink_to(new)  # unlike a rename it takes no other file's place
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            _put_where_none_is(new, path)
        wait_for_disk(path.parent)


def write_text_atomically(path: Path, text: str) -> None:
    """UTF-8 with the line ends as they stand in `text`."""
    with write_atomically(path) as new:
        new.write_text(text, encoding="utf-8", newline="")


@contextmanager
def replace_folder(path: Path, *, to_disk: bool = True) -> Iterator[Path]:
    """A new empty folder to fill; at the end it takes the place of the folder `path` as a whole.

    After an error or a signal `path` is as it was. Of several processes the last to finish wins, with all its files.
    `to_disk`: wait until it is there; not, where it is looked at before it is used and can be had again.
    """
    with _blamed_on(path), _unfinished(path.parent) as scratch:
        new = scratch / NEW / path.name
        new.mkdir()
        yield new
        if to_disk:
            for file in new.rglob("*"):
                if not file.is_symlink():
                    wait_for_disk(file)
        _put_in_place(new, path, scratch / FORMER)
        if to_disk:
            wait_for_disk(path.parent)


def remove_folder(path: Path) -> None:
    """Remove the folder `path`, which is there as a whole until it is gone as a whole."""
    with _unfinished(path.parent) as scratch, suppress(FileNotFoundError):  # another process was faster
        path.rename(scratch / NEW / path.name)


def is_unfinished(path: Path) -> bool:
    """Whether `path` lies in a folder that a process is writing to, or was when it was killed."""
    return any(part.startswith(PREFIX) for part in path.parts)


def _put_where_none_is(new: Path, path: Path) -> None:
    """A lock that everybody takes keeps the others out meanwhile."""
    with locked(path.with_name(f".{path.name}.lock")):
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        new.rename(path)


def _put_in_place(new: Path, path: Path, formers: Path) -> None:
    """Rename `new` to `path`; what has that name goes to `formers`, and comes back when the other cannot."""
    for turn in range(100):  # another process may put its own there between the two renames
        former = formers / str(turn) / path.name
        former.parent.mkdir(parents=True)
        with suppress(FileNotFoundError):
            path.rename(former)
        try:
            new.rename(path)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                _give_back(former, path)
                raise
        except BaseException:
            _give_back(former, path)
            raise
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _give_back(former: Path, path: Path) -> None:
    if former.exists() and not path.exists():
        former.rename(path)


@contextmanager
def _unfinished(parent: Path) -> Iterator[Path]:
    """A locked folder in `parent` with an empty folder NEW, gone at the end; `parent` is made when it is not there."""
    parent.mkdir(parents=True, exist_ok=True)
    _clear_leavings(parent)
    folder = parent / f"{PREFIX}{token_hex(8)}"  # known before it is made: a signal may come at any moment after that
    with ExitStack() as lock:
        try:
            _make_locked(folder, lock)
            (folder / NEW).mkdir()
            yield folder
        finally:
            _clear_away(folder)


def _make_locked(folder: Path, lock: ExitStack) -> None:
    while True:
        folder.mkdir(mode=0o700)
        with suppress(FileNotFoundError):  # another process took it for a leaving before it was locked
            lock.enter_context(locked(folder / LOCK))
            if folder.exists():
                return


def _clear_away(folder: Path) -> None:
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except BaseException:  # a signal in the middle of it; no second one breaks this off
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _clear_leavings(parent: Path) -> None:
    """Remove what killed processes left in `parent`; a folder that was killed between two names comes back."""
    where = parent.absolute()
    if where in _cleared:
        return
    _cleared.add(where)
    for left in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):
            left.rmdir()  # killed before it had a lock
        with suppress(OSError, Held), locked(left / LOCK, wait=False):  # Held: its process lives
            for former in left.glob(f"{FORMER}/*/*"):
                _give_back(former, parent / former.name)
            shutil.rmtree(left, ignore_errors=True)


def wait_for_disk(path: Path) -> None:
    """Wait until `path` is on disk: a disk may say only now that it is full."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system without it
            raise
    finally:
        os.close(number)


@contextmanager
def _blamed_on(path: Path) -> Iterator[None]:
    """Errors about a name nobody knows are errors about `path`; a full disk is DiskFull, whoever found out."""
    try:
        yield
    except ExportError:
        raise
    except Exception as error:
        if is_disk_full(error):
            raise disk_full(path) from error
        if isinstance(error, OSError) and (error.filename is None or PREFIX in str(error.filename)):
            error.filename, error.filename2 = str(path), None
        raise
