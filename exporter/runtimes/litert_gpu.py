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
from exporter.engines.gpu_probe import (
    SOFTWARE,
    GpuAnswer,
    GpuPrecision,
    adapter_in,
    ask_gpu,
    engine_environment,
    reason_in,
)
from exporter.engines.litert_gpu import LiteRtGpuEngine
from exporter.engines.process import last_words, run_program
from exporter.errors import EngineError
from exporter.graph.read import read_graph
from exporter.runtimes.base import Session
from exporter.runtimes.cpu import threads_on_cpu
from exporter.runtimes.placement import Left, Placement, whole
from exporter.runtimes.worker import FolderSession, lend_engine

ENGINE = "gpu_engine"
GPU = "GPU"
JOB_TIMEOUT_S = 1800


class LiteRtGpu:
    name: ClassVar[str] = "litert_gpu"
    takes: ClassVar[Format] = Format.TFLITE
    precision: ClassVar[GpuPrecision] = "fp16"
    untimed: ClassVar[str] = "a software GPU's times say nothing about a phone's"
    cpu_twin: ClassVar[str] = "litert_cpu"

    def __init__(self) -> None:
        self._gpu = LiteRtGpuEngine()

    def missing(self) -> str | None:
        return self._gpu.installed()

    def device(self, threads: int) -> str:
        version = self._gpu.versions["wheels"].get("ai_edge_litert", "(not installed)")
        adapter = self._gpu.checked.get("adapter", "(no adapter)")
        return f"LiteRT {version} GPU in {self.precision} on software Vulkan {adapter}, {threads_on_cpu(threads)}"

    def open(self, artifact: Artifact, threads: int) -> Session:
        return GpuSession(self, artifact, threads)

    def placed(self, artifact: Artifact) -> Placement:
        """What the GPU takes of a .tflite, in the engine's own words, from a compile for the GPU alone."""
        (answer,) = ask_gpu([artifact.path.absolute()], self._gpu.folder, self.precision, compile_only=True)
        if answer.accepted:
            return whole(artifact, GPU, answer.adapter)
        if not answer.refused:
            raise EngineError(f"{self.name}: {answer.reason}")
        return _refused(artifact, answer)

    def run_worker(self, folder: Path) -> str:
        """Have the job done; gives the adapter's name. Raises EngineError with the operators that the GPU refuses."""
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
        return adapter


def _refused(artifact: Artifact, answer: GpuAnswer) -> Placement:
    """The engine names operators by their kinds and tensors, so all of a kind may stand for one."""
    nodes = read_graph(artifact.path, artifact.signature).nodes
    left = tuple(
        Left(node.kind, node.name, answer.refused[node.kind], place)
        for place, node in enumerate(nodes)
        if node.kind in answer.refused
    )
    on_gpu = len(nodes) - answer.on_cpu
    return Placement(GPU, f"{answer.adapter} and the CPU" if on_gpu else "the CPU", len(nodes), on_gpu, left)


class GpuSession(FolderSession):
    def __init__(self, runtime: LiteRtGpu, artifact: Artifact, threads: int) -> None:
        super().__init__(ENGINE, artifact, threads, self._travel)
        self._runtime, self._adapter = runtime, ""

    def placement(self) -> Placement:
        """A session that gave a picture was compiled for the GPU alone: it took the whole file."""
        return whole(self._artifact, GPU, self._adapter) if self._adapter else self._runtime.placed(self._artifact)

    def _travel(self, folder: Path) -> None:
        self._adapter = self._runtime.run_worker(folder)


class LiteRtGpuFp32(LiteRtGpu):
    name: ClassVar[str] = "litert_gpu_fp32"
    precision: ClassVar[GpuPrecision] = "fp32"
