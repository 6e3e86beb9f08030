"""Every error a user can cause or fix. Anything else that escapes is a bug in the exporter.

ExportError                 exit code
├── RecipeError        2    the recipe or the command says something we do not understand
│   └── PlanError      2    the recipe is well-formed, but its steps do not fit together
├── DataError          2    an image set or manifest is unusable
├── CheckpointError    2    a weights file is missing, corrupt, hostile or of another architecture
├── MissingTool        3    a package, device or driver the recipe needs is not here
├── EngineError        4    an engine crashed or gave no usable answer; its measurements are "not measured"
├── BusyFolder         2    another run holds the build folder
├── StageError         4    a stage ran and broke its promise
├── DiskFull           4    the disk filled up; nothing half-written was kept
└── BundleError        2    a bundle contradicts itself: it is damaged, or was changed
"""

from typing import ClassVar

EXIT_CODES = {
    0: "all promises kept",
    1: "a promise was missed",
    2: "the recipe, the command or a file it reads is wrong",
    3: "a promise could not be measured",
    4: "a stage failed",
    130: "interrupted",
}


class ExportError(Exception):
    """Says where and what is wrong, then, after `hint`, what to do about it."""

    exit_code: ClassVar[int] = 4

    def __init__(self, problem: str, *, hint: str = "") -> None:
        super().__init__(f"{problem}\n  hint: {hint}" if hint else problem)


class RecipeError(ExportError):
    exit_code = 2


class PlanError(RecipeError): ...


class DataError(ExportError):
    exit_code = 2


class CheckpointError(ExportError):
    exit_code = 2


class MissingTool(ExportError):
    exit_code = 3


class EngineError(ExportError): ...


class BusyFolder(ExportError):
    exit_code = 2


class StageError(ExportError): ...


class DiskFull(ExportError): ...


class BundleError(ExportError):
    exit_code = 2
