"""The build folder of one recipe: finished stages by key, the lock, the log.

A stage folder counts as finished when `artifact.json` is in it and the model file still has the digest written
there; both are looked at on every run. Keys hold everything that can change a result, so a folder is never stale.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from exporter.artifact import Artifact, sha256_of
from exporter.errors import BusyFolder, InternalError, StageError
from exporter.failures import explained, in_one_line
from exporter.stages import Stage, Workspace


@dataclass(frozen=True, slots=True)
class RunFolder:
    """`path`/stages/<name>-<key>/ for each stage, `path`/logs/ for each run."""

    path: Path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process. Raises BusyFolder when another run has it."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise BusyFolder(
                    f"{self.path} is in use by another run (process {file.read().strip() or 'unknown'})",
                    hint="wait for it, or give this run a build folder of its own: --build DIR",
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield

    def log_file(self) -> Path:
        """A new file for this run's log."""
        folder = self.path / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"

    def folder_of(self, stage: Stage, source: Artifact, workspace: Workspace) -> Path:
        return self.path / "stages" / f"{stage.name}-{stage.key(source, workspace)}"

    def finished(self, folder: Path) -> Artifact | None:
        """The artifact in `folder`, or None when there is none or its file is not what was written."""
        try:
            artifact = Artifact.from_json((folder / "artifact.json").read_text(), folder)
            return artifact if sha256_of(artifact.path) == artifact.sha256 else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def run(self, stage: Stage, source: Artifact, workspace: Workspace) -> Artifact:
        """Run `stage` in its folder; `artifact.json`, written last, says it finished.

        Raises StageError when the stage breaks its promise, InternalError when anything unforeseen escapes it.
        """
        folder = self.folder_of(stage, source, workspace)
        if not stage.resumes or (folder / "artifact.json").exists():
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        result = _guarded(stage, source, replace(workspace, folder=folder))
        partial = folder / "artifact.json.partial"
        partial.write_text(result.to_json())
        partial.replace(folder / "artifact.json")
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
    if sha256_of(source.path) != source.sha256:
        raise StageError(f"{stage.name} changed its source {source.path}")
    return result
