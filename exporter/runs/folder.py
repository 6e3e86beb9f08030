"""The build folder of one recipe: finished stages by key, the lock, the log.

A stage folder counts as finished when `artifact.json` is in it and every file, itself included, is still what was
written; all are looked at on every run. Keys hold everything that can change a result, so a folder is never stale.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Container, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from exporter.artifact import Artifact
from exporter.cache.made_from import MADE_FROM, Parts, files_in, key_of, listed, to_record, why_anew
from exporter.cache.sealed import files_below, seal, unseal
from exporter.cache.store import Store
from exporter.checkpoints.weights_files import weights_digest
from exporter.errors import BusyFolder, InternalError, StageError
from exporter.failures import explained, in_one_line
from exporter.files.atomic import write_text_atomically
from exporter.files.locking import Held, locked
from exporter.runs.shared import key_in_store
from exporter.sources import edited
from exporter.stages import Stage, Workspace
from exporter.stages.parts import parts_of

RECORD, STAGES, LOCK = "artifact.json", "stages", ".lock"
BRIEFLY_S = 0.5  # who looks what a folder keeps, or makes room in it, has it for less


@dataclass(frozen=True, slots=True)
class RunFolder:
    """`path`/stages/<name>-<key>/ for each stage, `path`/logs/ for each run."""

    path: Path
    store: Store | None = None  # of what other runs, users and machines have made, too

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process. Raises BusyFolder when another run has it."""
        self.path.mkdir(parents=True, exist_ok=True)
        lock = self.path / LOCK
        with ExitStack() as held:
            give_up_s = time.monotonic() + BRIEFLY_S
            while True:
                try:
                    held.enter_context(locked(lock, wait=False))
                    break
                except Held:
                    run = lock.read_text().strip()
                    if time.monotonic() > give_up_s or _is_running(run):
                        raise BusyFolder(
                            f"{self.path} is in use by another run (process {run or 'unknown'})",
                            hint="wait for it, or give this run a build folder of its own: --build DIR",
                        ) from None
                    time.sleep(0.02)
            lock.write_text(str(os.getpid()))
            yield

    @contextmanager
    def briefly_locked(self) -> Iterator[bool]:
        """Whether nobody else has the folder; if so, keep runs waiting for a moment."""
        lock = self.path / LOCK
        with ExitStack() as held:
            try:
                if lock.exists():
                    held.enter_context(locked(lock, wait=False))
            except Held:
                yield False
                return
            yield True

    def log_file(self) -> Path:
        """A new file for this run's log."""
        folder = self.path / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"

    def folder_of(self, stage: Stage, source: Artifact, workspace: Workspace) -> Path:
        return self._folder(stage, parts_of(stage, source, workspace))

    def _folder(self, stage: Stage, parts: Parts) -> Path:
        return self.path / STAGES / f"{stage.name}-{key_of(parts)}"

    def why_anew(self, stage: Stage, source: Artifact, workspace: Workspace, this_run: Container[Path] = ()) -> str:
        """What is different from the nearest result of an earlier run; empty when the stage has never finished."""
        earlier = (folder for folder in self.path.glob(f"{STAGES}/{stage.name}-*") if folder not in this_run)
        return why_anew(parts_of(stage, source, workspace), earlier)

    def finished(self, folder: Path) -> Artifact | None:
        """The artifact in `folder`, or None when there is none or a file beside it is not what was written."""
        record = unseal(folder / RECORD)
        return None if record is None else Artifact.from_record(record, folder)

    def used(self, folder: Path) -> None:
        """Note that the result in `folder` was of use: what was not used for longest is pruned first."""
        with suppress(OSError):
            (folder / RECORD).touch()

    def known(self, stage: Stage, source: Artifact, workspace: Workspace) -> Artifact | None:
        """What `stage` makes, where it is finished here or comes from the store; None where it has to be made."""
        folder = self.folder_of(stage, source, workspace)
        if found := self.finished(folder):
            return found
        if self.store is None or (key := key_in_store(stage, parts_of(stage, source, workspace))) is None:
            return None
        if not self.store.fetch(key, folder / RECORD):
            return None
        workspace.progress.say(f"{stage.name}: taken from the store [{folder.name}]")
        return self.finished(folder)

    def made(self, stage: Stage, source: Artifact, workspace: Workspace) -> Artifact:
        """What `stage` makes: by `run` here, or by another process that is faster and shares the store."""
        key = key_in_store(stage, parts_of(stage, source, workspace)) if self.store else None
        if self.store is None or key is None:
            return self.run(stage, source, workspace)
        folder = self.folder_of(stage, source, workspace)
        here: list[Artifact] = []
        self.store.once(key, folder / RECORD, lambda: here.append(self.run(stage, source, workspace)), self.path.name)
        if here:
            return here[0]
        workspace.progress.say(f"{stage.name}: taken from the store [{folder.name}]")
        taken = self.finished(folder)
        return taken if taken is not None else self.run(stage, source, workspace)

    def run(self, stage: Stage, source: Artifact, workspace: Workspace) -> Artifact:
        """Run `stage` in its folder; `artifact.json`, written last, says it finished.

        Code that was edited meanwhile may have run in either form, so that result is nobody's: it is not kept.

        Raises StageError when the stage breaks its promise, InternalError when anything unforeseen escapes it.
        """
        parts = parts_of(stage, source, workspace)
        folder = self._folder(stage, parts)
        if not stage.resumes or (folder / RECORD).exists():
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        result = _guarded(stage, source, replace(workspace, folder=folder))
        if changed := edited(files_in(parts)):
            workspace.progress.say(
                f"{stage.name}: not kept for the next run, {listed(changed)} was edited while it ran"
            )
            (folder / RECORD).touch()  # empty: nothing here is gone on from
            return result
        write_text_atomically(folder / MADE_FROM, to_record(parts))
        spent = {folder / name for name in stage.spent}
        kept = [file for file in files_below(folder, but=folder / RECORD) if file not in spent]
        seal(folder / RECORD, result.to_record(), kept)
        for file in spent:
            file.unlink(missing_ok=True)  # not before: killed in between, the training would be lost
        return result


def _is_running(pid: str) -> bool:
    """Whether the number that a run left in its lock is still a process's."""
    try:
        os.kill(int(pid), 0)
    except (ValueError, OverflowError, ProcessLookupError):
        return False
    except PermissionError:  # another user's
        return True
    return True


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
