"""LiteRT's releases, each in a process of its own: their interpreters, and CompiledModel of the newest.

A release lies in its folder (`exporter runtimes --install litert`) or is the very one of our own environment.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar, Protocol

from exporter.artifact import Artifact, Format
from exporter.engines import compiled_interpreter
from exporter.engines.folder import stamp_of
from exporter.engines.litert_versions import INSTALL, NEWEST, litert_environment, litert_folder
from exporter.runtimes.base import Runtime
from exporter.runtimes.cpu import threads_on_cpu
from exporter.runtimes.installed import version_of
from exporter.runtimes.worker import FolderSession, lend_engine
from exporter.runtimes.worker_process import run_worker

MODULE = "ai_edge_litert"
COMPILED_ENGINE = "compiled_engine"
JOB_TIMEOUT_S = 900


class LiteRtRelease(Runtime, Protocol):
    """A runtime that also says what an output tensor holds, see `FolderSession.stored_all`."""

    def open(self, artifact: Artifact, threads: int) -> FolderSession: ...


class LiteRtVersion:
    name: ClassVar[str]
    takes: ClassVar[Format] = Format.TFLITE
    version: ClassVar[str]

    def missing(self) -> str | None:
        if stamp_of(litert_folder(self.version)) or self._is_ours:
            return None
        return f"LiteRT {self.version} is not put together: {INSTALL}"

    def device(self, threads: int) -> str:
        return f"LiteRT {self.version} XNNPACK, {threads_on_cpu(threads)}"

    def open(self, artifact: Artifact, threads: int) -> FolderSession:
        return FolderSession(MODULE, artifact, threads, self._run_worker)

    @property
    def _is_ours(self) -> bool:
        return version_of("ai-edge-litert") == self.version

    def _run_worker(self, folder: Path) -> None:
        in_folder = stamp_of(litert_folder(self.version))
        env = litert_environment(self.version) if in_folder else {}
        run_worker(self.name, [sys.executable], folder, timeout_s=JOB_TIMEOUT_S, env=env)


class LiteRt210(LiteRtVersion):
    name: ClassVar[str] = "litert_2.1.0"
    version: ClassVar[str] = "2.1.0"


class LiteRt216(LiteRtVersion):
    name: ClassVar[str] = "litert_2.1.6"
    version: ClassVar[str] = "2.1.6"


class LiteRt230(LiteRtVersion):
    name: ClassVar[str] = "litert_2.3.0"
    version: ClassVar[str] = "2.3.0"


class LiteRtCompiledCpu(LiteRtVersion):
    """What Android's LiteRT recommends in place of the interpreter. A timed call is write, run and read."""

    name: ClassVar[str] = "litert_compiled_cpu"
    version: ClassVar[str] = NEWEST

    def device(self, threads: int) -> str:
        return f"LiteRT {self.version} CompiledModel XNNPACK, {threads_on_cpu(threads)}"

    def open(self, artifact: Artifact, threads: int) -> FolderSession:
        return FolderSession(COMPILED_ENGINE, artifact, threads, self._run_worker)

    def _run_worker(self, folder: Path) -> None:
        lend_engine(compiled_interpreter.__file__, COMPILED_ENGINE, folder)
        super()._run_worker(folder)
