"""What a stage is: options as fields, one artifact in, one new artifact out."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict

from exporter.artifact import Artifact, Format, sha256_of
from exporter.generators.weights_files import files_by_place
from exporter.progress import Progress

if TYPE_CHECKING:
    from exporter.data.calibration import CalibrationSet
    from exporter.data.training import TrainingSet


@dataclass(frozen=True, slots=True)
class Workspace:
    """Everything a stage may read besides its source. It may write only into `folder`."""

    folder: Path
    teacher: Artifact  # the recipe's trained model, before any stage
    calibration: CalibrationSet
    training: TrainingSet | None  # None when the recipe names no training images
    seed: int
    progress: Progress
    quiet: Callable[[], AbstractContextManager[None]]  # sends a chatty library's output to the log file


class Stage(BaseModel, ABC):
    """A stage's fields are its recipe options, so a recipe is checked before anything runs."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, coerce_numbers_to_str=True)

    name: ClassVar[str]
    takes: ClassVar[Format]
    gives: ClassVar[Format]
    revision: ClassVar[int] = 1  # raise it when the stage's behaviour changes
    packages: ClassVar[tuple[str, ...]] = ()  # distributions whose version can change the result
    reads: ClassVar[frozenset[str]] = frozenset()  # of "teacher", "calibration", "training", "seed"
    resumes: ClassVar[bool] = False  # it keeps checkpoints in its folder and goes on from them

    def facts(self, folder: Path) -> dict[str, object]:
        """What the report should say of a finished run in `folder`, e.g. MACs before and after."""
        file = folder / "facts.json"
        return dict(json.loads(file.read_text())) if file.exists() else {}

    @abstractmethod
    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        """Write a new model into `workspace.folder`; leave `source` untouched."""

    def files(self) -> dict[str, Path]:
        """Files that options name: their digests, not their places, decide the result, and provenance names them all.

        Weights that lie in several files are `option` and `option/file`.
        """
        chosen = {name: getattr(self, name) for name in type(self).model_fields}
        places = (files_by_place(name, value) for name, value in chosen.items() if isinstance(value, Path))
        return {place: file for files in places for place, file in files.items()}

    def key(self, source: Artifact, workspace: Workspace) -> str:
        """Names the result: same key, same model. All that can change the result is in it."""
        return sha256("\0".join(self._key_parts(source, workspace)).encode()).hexdigest()[:16]

    def _key_parts(self, source: Artifact, workspace: Workspace) -> Iterator[str]:
        files = self.files()
        yield from (self.name, str(self.revision), self.model_dump_json(exclude=set(files)), source.sha256)
        yield from (f"{name} {sha256_of(path)}" for name, path in files.items())
        yield f"{source.input} {source.output}"
        yield from (f"{package} {_version(package)}" for package in self.packages)
        if "teacher" in self.reads:
            yield workspace.teacher.sha256
        if "calibration" in self.reads:
            yield workspace.calibration.sha256
        if "training" in self.reads and workspace.training is not None:
            yield workspace.training.sha256
        if "seed" in self.reads:
            yield str(workspace.seed)

    def __str__(self) -> str:
        chosen = {key: getattr(self, key) for key in sorted(self.model_fields_set)}
        words = (f"{k}={v.name if isinstance(v, Path) else v}" for k, v in chosen.items() if v is not None)
        return " ".join([self.name, *words])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
