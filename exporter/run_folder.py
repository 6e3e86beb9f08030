"""The build folder of one recipe: finished stages by key, the lock, the log.

A stage folder counts as finished when `artifact.json` is in it and every file, itself included, is still what was
written; all are looked at on every run. Keys hold everything that can change a result, so a folder is never stale.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from exporter.artifact import Artifact
from exporter.errors import BusyFolder, InternalError, StageError
from exporter.failures import explained, in_one_line
from exporter.generators.weights_files import weights_digest
from exporter.locking import Held, locked
from exporter.sealed import files_below, seal, unseal
from exporter.stages import Stage, Workspace

RECORD = "artifact.json"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """`path`/stages/<name>-<key>/ for each stage, `path`/logs/ for each run."""

    path: Path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process. Raises BusyFolder when another run has it."""
        self.path.mkdir(parents=True, exist_ok=True)
        lock = self.path / ".lock"
        try:
            with locked(lock, wait=False):
                lock.write_text(str(os.getpid()))
                yield
        except Held:
            raise BusyFolder(
                f"{self.path} is in use by another run (process {lock.read_text().strip() or 'unknown'})",
                hint="wait for it, or give this run a build folder of its own: --build DIR",
            ) from None

    def log_file(self) -> Path:
        """A new file for this run's log."""
        folder = self.path / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"

    def folder_of(self, stage: Stage, source: Artifact, workspace: Workspace) -> Path:
        return self.path / "stages" / f"{stage.name}-{stage.key(source, workspace)}"

    def finished(self, folder: Path) -> Artifact | None:
        """The artifact in `folder`, or None when there is none or a file beside it is not what was written."""
        record = unseal(folder / RECORD)
        return None if record is None else Artifact.from_record(record, folder)

    def run(self, stage: Stage, source: Artifact, workspace: Workspace) -> Artifact:
        """Run `stage` in its folder; `artifact.json`, written last, says it finished.

        Raises StageError when the stage breaks its promise, InternalError when anything unforeseen escapes it.
        """
        folder = self.folder_of(stage, source, workspace)
        if not stage.resumes or (folder / RECORD).exists():
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        result = _guarded(stage, source, replace(workspace, folder=folder))
        seal(folder / RECORD, result.to_record(), files_below(folder, but=folder / RECORD))
        return result


def _guarded(stage: Stage, source: Artifact, workspace: Workspace) -> Artifact:
    try:
        result = stage.run(source, workspace)
    except Exception as error:
        if known := explained(error):
            raise known from error
        raise InternalError(f"{stage.name} failed on {source.path.name}: {in_one_line(error)}") from error
    if result.format != stage.gives or workspace.folder not in result.path.parents:
        raise StageError(f"{stage.name} gave {result.format} at {result.path}, promised {stage.gives} in its folder")
    if weights_digest(source.path) != source.sha256:
        raise StageError(f"{stage.name} changed its source {source.path}")
    return result
