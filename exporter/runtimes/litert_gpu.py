"""LiteRT's real GPU engine on software Vulkan: the shader generator and the half precision of a phone, not its speed.

Two runtimes of one engine: `litert_gpu` computes in fp16 as phones do, `litert_gpu_fp32` in fp32. A file counts as run
only when the GPU takes every operator of it: nothing falls back to the CPU.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import ClassVar

from exporter.artifact import Artifact, Format
from exporter.engines import compiled_interpreter
from exporter.engines.gpu_probe import SOFTWARE, GpuPrecision, adapter_in, engine_environment, reason_in
from exporter.engines.litert_gpu import LiteRtGpuEngine
from exporter.engines.process import last_words, run_program
from exporter.errors import EngineError
from exporter.runtimes.base import Session
from exporter.runtimes.cpu import threads_on_cpu
from exporter.runtimes.worker import FolderSession, lend_engine

ENGINE = "gpu_engine"
JOB_TIMEOUT_S = 1800


class LiteRtGpu:
    name: ClassVar[str] = "litert_gpu"
    takes: ClassVar[Format] = Format.TFLITE
    precision: ClassVar[GpuPrecision] = "fp16"
    untimed: ClassVar[str] = "a software GPU's times say nothing about a phone's"

    def __init__(self) -> None:
        self._gpu = LiteRtGpuEngine()

    def missing(self) -> str | None:
        return self._gpu.installed()

    def device(self, threads: int) -> str:
        version = self._gpu.versions["wheels"].get("ai_edge_litert", "(not installed)")
        adapter = self._gpu.checked.get("adapter", "(no adapter)")
        return f"LiteRT {version} GPU in {self.precision} on software Vulkan {adapter}, {threads_on_cpu(threads)}"

    def open(self, artifact: Artifact, threads: int) -> Session:
        return FolderSession(ENGINE, artifact, threads, self._run_worker)

    def _run_worker(self, folder: Path) -> None:
        """Have the job done. Raises EngineError with the operators that the GPU refuses."""
        lend_engine(compiled_interpreter.__file__, ENGINE, folder)
        done = run_program(
            [sys.executable, "worker.py", "."],
            timeout_s=JOB_TIMEOUT_S,
            late=f"{self.name}: the engine gave no answer",
            cwd=folder,
            env=engine_environment(self._gpu.folder, self.precision),
        )
        if done.returncode:
            raise EngineError(f"{self.name}: {reason_in(done.stderr, last_words(done))}")
        adapter = adapter_in(done.stderr)
        if SOFTWARE not in adapter:
            raise EngineError(f"{self.name} ran on {adapter or 'an unnamed adapter'}, not on {SOFTWARE}")


class LiteRtGpuFp32(LiteRtGpu):
    name: ClassVar[str] = "litert_gpu_fp32"
    precision: ClassVar[GpuPrecision] = "fp32"
