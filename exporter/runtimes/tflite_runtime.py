"""tflite-runtime 2.14: the old runtime many apps still ship, in a process of its own.

In our process it could clash with LiteRT: both register the same delegates and operators.
"""

from __future__ import annotations

import subprocess
import sys
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from exporter.artifact import Artifact, Format
from exporter.processes.child_process import run_child
from exporter.runtimes.cpu import threads_on_cpu
from exporter.runtimes.worker import FolderSession
from exporter.runtimes.worker_process import run_worker

MODULE = "tflite_runtime"
JOB_TIMEOUT_S = 900
# `-c` puts the current folder first on the path; a module of ours there would be taken for the engine.
_PROBE = f"import sys; sys.path.pop(0); import {MODULE}.interpreter; print({MODULE}.__version__)"


class TfliteRuntime:
    """`python` is the interpreter whose environment holds tflite-runtime; by default our own."""

    name: ClassVar[str] = "tflite_runtime"
    takes: ClassVar[Format] = Format.TFLITE

    def __init__(self, python: str = sys.executable) -> None:
        self.python = python

    def missing(self) -> str | None:
        if self._version:
            return None
        return f"{self.python} has no working {MODULE}: pip install 'exporter[old-runtime]' (Python 3.11)"

    def device(self, threads: int) -> str:
        return f"tflite-runtime {self._version or '(not installed)'} XNNPACK, {threads_on_cpu(threads)}"

    def open(self, artifact: Artifact, threads: int) -> FolderSession:
        return FolderSession(MODULE, artifact, threads, self._run_worker)

    @cached_property
    def _version(self) -> str | None:
        """Asked by importing it over there: a wheel built for another numpy is found but does not load."""
        try:
            answer = run_child([self.python, "-c", _PROBE], timeout_s=60)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return answer.stdout.strip() if answer.returncode == 0 else None

    def _run_worker(self, folder: Path) -> None:
        """Start the worker program of the folder and wait. Raises EngineError with its last words."""
        run_worker(self.name, [self.python], folder, timeout_s=JOB_TIMEOUT_S)
