"""TensorFlow's own interpreter, which the converter's people test files with; the one of our environment."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar

from exporter.artifact import Artifact, Format
from exporter.runtimes.cpu import threads_on_cpu
from exporter.runtimes.installed import not_installed, version_of
from exporter.runtimes.worker import FolderSession, lend_engine
from exporter.runtimes.worker_process import run_worker

ENGINE = "tensorflow_engine"
INTERPRETER = Path(__file__).with_name("tensorflow_interpreter.py")  # imported only over there
JOB_TIMEOUT_S = 900


class TensorflowLite:
    name: ClassVar[str] = "tensorflow_lite"
    takes: ClassVar[Format] = Format.TFLITE

    def missing(self) -> str | None:
        return not_installed("tensorflow", "pip install 'exporter[export]'")

    def device(self, threads: int) -> str:
        return f"TensorFlow {version_of('tensorflow')} XNNPACK, {threads_on_cpu(threads)}"

    def open(self, artifact: Artifact, threads: int) -> FolderSession:
        return FolderSession(ENGINE, artifact, threads, self._run_worker)

    def _run_worker(self, folder: Path) -> None:
        lend_engine(str(INTERPRETER), ENGINE, folder)
        env = {"TF_CPP_MIN_LOG_LEVEL": "2"}
        run_worker(self.name, [sys.executable], folder, timeout_s=JOB_TIMEOUT_S, env=env)
