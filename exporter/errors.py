"""Every error a user can cause or fix. Anything else that escapes is a bug in the exporter, which InternalError says.

ExportError                 exit code
├── RecipeError        2    the recipe or the command says something we do not understand
│   └── PlanError      2    the recipe is well-formed, but its steps do not fit together
├── DataError          2    an image set or manifest is unusable
├── CheckpointError    2    a weights file is missing, corrupt, hostile or of another architecture
│   ├── Misfit        2    its weights are another network's than the one that is named
│   └── ForeignClass  2    a file names a class of its own, which is imported only when its user says so
├── UnusablePath       2    a file or folder may not be read or written, is of another kind, or has an impossible name
├── MissingTool        3    a package, device or driver the recipe needs is not here
├── EngineError        4    an engine crashed or gave no usable answer; its measurements are "not measured"
│   └── LostWorker     4    its process was ended from outside or gave no answer in time: another run may fare better
├── NoCluster          4    what would run a sweep is not installed, not here, or does not answer
├── BusyFolder         2    another run holds the build folder
├── StageError         4    a stage ran and broke its promise
│   ├── Refused        2    the next format has no form for something in the network, which its owner can change
│   └── WrongPicture   4    the new file gives another picture than its source
├── MachineFailed      4    the operating system failed during the work: a broken disk, no more open files
│   └── DiskFull       4    the disk filled up; nothing half-written was kept
├── InternalError      5    something nobody foresaw; its traceback is in a log
├── BundleError        2    a bundle contradicts itself: it is damaged, or was changed
└── Incomparable       2    two bundles, or what they were judged by, say nothing about each other

Which class an error of the operating system or of a library belongs to is decided in exporter/failures.py.
"""

import re
from pathlib import Path
from typing import ClassVar

_ADDRESS = re.compile(r"(?: object)? at 0x[0-9a-fA-F]+(?=>)")  # of a Python object that a library's words name
# The user and password of an address; a path that was made of one has a slash less.
_SECRET = re.compile(r"(\bhttps?:/{1,2}|\w:/{1,2}(?=[^/\s@]*:))[^/\s@]+@")

EXIT_CODES = {
    0: "all promises kept",
    1: "a promise was missed",
    2: "the recipe, the command, or a file, folder or network they name is wrong",
    3: "a promise could not be measured",
    4: "a stage failed, or the machine under it",
    5: "the exporter itself failed",
    129: "interrupted (SIGHUP)",
    130: "interrupted",
    141: "whoever read the output went away",
    143: "interrupted (SIGTERM)",
}


class ExportError(Exception):
    """Says where and what is wrong, then, after `hint`, what to do about it."""

    exit_code: ClassVar[int] = 4

    def __init__(self, problem: str, *, hint: str = "") -> None:
        said = f"{problem}\n  hint: {hint}" if hint else problem
        super().__init__(_SECRET.sub(r"\1…@", _ADDRESS.sub("", said)))


class RecipeError(ExportError):
    exit_code = 2


class PlanError(RecipeError): ...


class DataError(ExportError):
    exit_code = 2


class CheckpointError(ExportError):
    exit_code = 2


class UnusablePath(ExportError):
    exit_code = 2


class Misfit(CheckpointError): ...


class ForeignClass(CheckpointError): ...


class MissingTool(ExportError):
    exit_code = 3


class EngineError(ExportError): ...


class LostWorker(EngineError): ...


class NoCluster(ExportError): ...


class BusyFolder(ExportError):
    exit_code = 2


class StageError(ExportError): ...


class Refused(StageError):
    exit_code = 2


class WrongPicture(StageError): ...


class MachineFailed(ExportError): ...


class DiskFull(MachineFailed): ...


class InternalError(ExportError):
    """`log`: the file that holds the traceback, once it is written."""

    exit_code = 5

    def __init__(self, problem: str, *, log: Path | None = None) -> None:
        super().__init__(problem, hint=f"please report it with {log}, which holds the traceback" if log else "")
        self.log = log


class BundleError(ExportError):
    exit_code = 2


class Incomparable(ExportError):
    exit_code = 2
