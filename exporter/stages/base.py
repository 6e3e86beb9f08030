"""What a stage is: options as fields, one artifact in, one new artifact out."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict

from exporter.artifact import Artifact, Format
from exporter.data.spread import evenly_spread
from exporter.progress import Progress

if TYPE_CHECKING:
    from torch import nn

    from exporter.data.calibration import CalibrationSet, Floats
    from exporter.data.training import TrainingSet
    from exporter.generators.description import Description

# What a stage may read besides its source, in words.
READS = {
    "teacher": "the recipe's trained model",
    "calibration": "data.calibration",
    "training": "data.training",
    "seed": "seed",
}


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

    def some_calibration(self, most: int) -> Iterator[Floats]:
        """At most so many calibration pictures, evenly spread, in order."""
        places = evenly_spread(len(self.calibration), most)
        return (image for place, image in enumerate(self.calibration) if place in places)


@dataclass(frozen=True, slots=True)
class Untrained:
    """The torch model that a chain will have come to, and what its file will say of it."""

    network: nn.Module
    description: Description
    user_classes: frozenset[str]  # as Artifact's


class Stage(BaseModel, ABC):
    """A stage's fields are its recipe options, so a recipe is checked before anything runs."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, coerce_numbers_to_str=True)

    name: ClassVar[str]
    takes: ClassVar[Format]
    gives: ClassVar[Format]
    needs: ClassVar[tuple[str, ...]] = ()  # modules that `run` imports and a base install has not
    packages: ClassVar[tuple[str, ...]] = ()  # distributions that matter although no import of ours names them
    reads: ClassVar[frozenset[str]] = frozenset()  # of READS
    resumes: ClassVar[bool] = False  # it keeps checkpoints in its folder and goes on from them
    spent: ClassVar[frozenset[str]] = frozenset()  # files of its folder that nobody needs once its result is kept

    def facts(self, folder: Path) -> dict[str, object]:
        """What the report should say of a finished run in `folder`, e.g. MACs before and after."""
        file = folder / "facts.json"
        return dict(json.loads(file.read_text())) if file.exists() else {}

    @abstractmethod
    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        """Write a new model into `workspace.folder`; leave `source` untouched."""

    def networks(self, source: Artifact) -> tuple[str, ...]:
        """Architectures whose code it runs, besides those that the network files it reads say they are of."""
        return ()

    def check(self, source: Untrained, workspace: Workspace) -> Untrained:
        """Try what `run` will need of `source`.

        Returns what it would hand on. Raises an ExportError for all that can be known before any training; writes
        nothing and leaves the network as it is.
        """
        return source

    def machine(self) -> str:
        """What of this machine decides the result; empty when nothing does."""
        return ""

    def __str__(self) -> str:
        chosen = {key: getattr(self, key) for key in sorted(self.model_fields_set)}
        words = (f"{k}={v.name if isinstance(v, Path) else v}" for k, v in chosen.items() if v is not None)
        return " ".join([self.name, *words])
