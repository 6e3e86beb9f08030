"""The one place that decides what an error of the operating system, or one nobody foresaw, means to the user.

the path is wrong     UnusablePath   2   not there, not to be read or written, of another kind, too long
a package is absent   MissingTool    3   one of the extra that exports; the base install has none of them
the disk is full      DiskFull       4   said by the kernel, or by a library that swallowed what the kernel said
the machine failed    MachineFailed  4   everything else the operating system reports during the work
nobody foresaw it     InternalError  5   its traceback goes into a log
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Container, Iterator
from pathlib import Path

from exporter.errors import DiskFull, ExportError, InternalError, MachineFailed, MissingTool, UnusablePath

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
WRONG_PATH = {
    errno.ENOENT: "",
    errno.EACCES: "",
    errno.EPERM: "",
    errno.EEXIST: "",
    errno.EISDIR: "name a file",
    errno.ENOTDIR: "a part of its path is a file",
    errno.ENOTEMPTY: "",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.ELOOP: "a link leads back to itself",
    errno.EROFS: "name a folder that can be written: --build, --dist or the output",
    errno.EINVAL: "",
    errno.ENXIO: "",
    errno.ENODEV: "",
    errno.ETXTBSY: "",
    errno.EXDEV: "",
}
HINTS = {
    errno.EMFILE: "raise the limit: ulimit -n",
    errno.ENFILE: "this machine has too many open files",
    errno.EIO: "the disk or the network drive is failing",
    errno.ESTALE: "the network drive was changed or remounted: run the same command again",
}
# A file that is not there, or no file: for who looks for one that may be absent.
ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENODEV})
# What `exporter[export]` brings, as it is imported.
_OF_THE_EXPORT = frozenset(
    {"numpy", "torch", "torch_pruning", "safetensors", "onnx", "onnxruntime", "onnxscript", "onnxsim", "onnx2tf"}
    | {"tensorflow", "ai_edge_litert", "flatbuffers", "PIL", "skimage", "matplotlib"}
)
OUT_OF_MEMORY = "close other programs, or choose a smaller input, batch or crop"
# What libraries say of a full disk when they do not pass the kernel's number on: Rust and C++ its words, NumPy how much
# it got rid of, torch's zip writer that it is not where it should be.
_FULL_WORDS = re.compile(
    r"No space left on device|Disk quota exceeded|File too large|\d+ requested and \d+ written"
    r"|inline_container\.cc\S* \. unexpected pos|basic_ios::clear: iostream error|PytorchStreamWriter failed writing"
)

_RUST_NUMBER = re.compile(r"\(os error (\d+)\)")  # its errors come without another
_MEMORY_WORDS = re.compile(r"DefaultCPUAllocator: .*not enough memory|can't allocate memory|CUDA out of memory")


def says_disk_full(text: str) -> bool:
    """Whether these words, of a library or of a child process, mean that the disk is full."""
    return bool(_FULL_WORDS.search(text))


def is_disk_full(error: BaseException) -> bool:
    """Whether `error`, or what it was raised from, is a disk that filled up."""
    return any(getattr(e, "errno", None) in FULL or says_disk_full(str(e)) for e in causes(error))


def explained(error: BaseException) -> ExportError | None:
    """`error` as one of ours; None for one that nobody foresaw."""
    if isinstance(error, ExportError):
        return error
    if isinstance(error, ModuleNotFoundError) and error.name in _OF_THE_EXPORT:
        return MissingTool(f"this needs {error.name}, which is not installed", hint="pip install 'exporter[export]'")
    if is_disk_full(error):
        return disk_full(next((file for e in causes(error) if (file := _file_of(e))), None))
    if isinstance(error, MemoryError) or _MEMORY_WORDS.search(str(error)):
        return MachineFailed(f"there is not enough memory: {in_one_line(error)}", hint=OUT_OF_MEMORY)
    number = _number_of(error)
    if number is None:
        return None  # libraries raise OSErrors of their own, without a number
    reason = (getattr(error, "strerror", None) or os.strerror(number)).lower()
    file = _file_of(error)
    sentence = f"{file} cannot be used: {reason}" if file else f"the operating system reports: {reason}"
    if number == errno.ENOENT and file:
        from exporter.suggestions import likely_file

        sentence += likely_file(Path(file))
    if number in WRONG_PATH:
        return UnusablePath(sentence, hint=WRONG_PATH[number])
    return MachineFailed(sentence, hint=HINTS.get(number, ""))


def pass_on(error: BaseException, path: Path, *, but: Container[int] = ()) -> None:
    """What a reader calls before it blames the content of `path`: raises what the operating system said instead.

    Errors of the content return: those without a number of the kernel's, EINVAL (a damaged file that sends its reader
    to a place before its beginning), and the numbers in `but`, which the reader has a word of its own for.
    """
    if is_disk_full(error):
        raise disk_full(_file_of(error) or path) from error
    number = _number_of(error)
    if number is None or number not in errno.errorcode or number == errno.EINVAL or number in but:
        return
    if isinstance(error, OSError) and error.filename is not None:
        raise error
    raise OSError(number, os.strerror(number), str(path)) from error


def disk_full(file: str | Path | None) -> DiskFull:
    return DiskFull(
        f"the disk is full while writing {file or 'a file'}; nothing half-written was kept",
        hint="free some space (or raise the quota) and run the same command again",
    )


def said_plainly(error: Exception, log: Path | None = None) -> ExportError:
    """`error` as one of ours; the traceback of what nobody foresaw is added to `log`, or to a file of its own."""
    known = explained(error)
    if known is not None and not isinstance(known, InternalError):
        return known
    if isinstance(error, InternalError) and error.log:
        return error
    sentence = str(error) if isinstance(error, InternalError) else f"the exporter failed: {in_one_line(error)}"
    return InternalError(sentence, log=_write_log(error, log))


def in_one_line(error: BaseException) -> str:
    """The error's type and the first line of what it says."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _write_log(error: Exception, log: Path | None) -> Path | None:
    """Where the traceback was written; None when no place takes it."""
    import tempfile  # both only on the day they are needed: every command imports this module
    import traceback

    try:
        if log is None or not log.is_file():
            name = f"exporter-{time.strftime('%Y%m%d-%H%M%S')}-"
            number, made = tempfile.mkstemp(prefix=name, suffix=".log")
            os.close(number)
            log = Path(made)
        with log.open("a", encoding="utf-8", errors="replace") as file:
            file.write("".join(traceback.format_exception(error)))
    except OSError:
        return None
    return log


def causes(error: BaseException) -> Iterator[BaseException]:
    """`error`, then what it was raised from or while handling."""
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        at = at.__cause__ or at.__context__


def _number_of(error: BaseException) -> int | None:
    """The kernel's number, also where a library in Rust kept it in its words alone."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = _RUST_NUMBER.search(str(error)) if isinstance(error, Exception) else None
    return int(found[1]) if found else None


def _file_of(error: BaseException) -> str | None:
    name = getattr(error, "filename", None)
    if isinstance(name, bytes):
        return os.fsdecode(name)
    return str(name) if isinstance(name, str | os.PathLike) else None
