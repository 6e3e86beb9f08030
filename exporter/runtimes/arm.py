"""LiteRT and tflite-runtime on an emulated ARM64 processor: the kernels a phone runs, not its speed."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import ClassVar

from exporter.artifact import Artifact, Format
from exporter.engines import compiled_interpreter
from exporter.engines.arm import CPUS, DEFAULT_CPU, HALF_CPUS, ArmEngine, EngineModule
from exporter.errors import EngineError, RecipeError
from exporter.figures import counted
from exporter.runtimes.base import Image
from exporter.runtimes.worker import FolderSession, lend_engine
from exporter.runtimes.worker_process import run_worker

CPU_VARIABLE = "EXPORTER_ARM_CPU"
JOB_TIMEOUT_S = 3600
COMPILED_ENGINE = "compiled_engine"
EMULATED = "an emulated CPU's times say nothing about a phone's"


class LiteRtArm:
    """`cpu` is the processor qemu plays; by default $EXPORTER_ARM_CPU, else a Cortex-A76."""

    name: ClassVar[str] = "litert_arm"
    takes: ClassVar[Format] = Format.TFLITE
    engine: ClassVar[EngineModule] = "ai_edge_litert"
    title: ClassVar[str] = "LiteRT"
    untimed: ClassVar[str] = EMULATED

    def __init__(self, cpu: str = "") -> None:
        self._cpu = cpu
        self._arm = ArmEngine()

    @property
    def cpu(self) -> str:
        """Raises RecipeError for a processor that is not among those we know to work."""
        cpu = self._cpu or os.environ.get(CPU_VARIABLE) or DEFAULT_CPU
        if cpu not in CPUS:
            raise RecipeError(f"{CPU_VARIABLE}={cpu}: no such processor is emulated", hint=f"known: {', '.join(CPUS)}")
        return cpu

    def missing(self) -> str | None:
        return self._arm.installed()

    def device(self, threads: int) -> str:
        engine = f"{self.title} {self._arm.version(self.engine)} XNNPACK"
        return f"{engine}, {counted(threads, 'thread')}, {self.cpu} emulated by qemu {self._arm.qemu_version()}"

    def open(self, artifact: Artifact, threads: int) -> EmulatedSession:
        return EmulatedSession(self.engine, artifact, threads, self._run_worker)

    def _run_worker(self, folder: Path) -> None:
        command, env = self._arm.python(self.cpu), self._arm.environment(self.engine)
        run_worker(self.name, command, folder, timeout_s=JOB_TIMEOUT_S, env=env)


class TfliteRuntimeArm(LiteRtArm):
    name: ClassVar[str] = "tflite_runtime_arm"
    engine: ClassVar[EngineModule] = "tflite_runtime"
    title: ClassVar[str] = "tflite-runtime"


class LiteRtArmFp16(LiteRtArm):
    """Float files computed in half precision, as Android's XNNPACK does with fp16 files and a desktop never does.

    A picture counts only of a processor that was seen to overflow beyond 65504, once a process.
    """

    name: ClassVar[str] = "litert_arm_fp16"

    @property
    def cpu(self) -> str:
        cpu = super().cpu
        if cpu not in HALF_CPUS:
            raise RecipeError(f"{cpu} has no half precision arithmetic", hint=f"these have: {', '.join(HALF_CPUS)}")
        return cpu

    def device(self, threads: int) -> str:
        return super().device(threads).replace("XNNPACK", "CompiledModel XNNPACK in fp16", 1)

    def open(self, artifact: Artifact, threads: int) -> EmulatedSession:
        return EmulatedSession(COMPILED_ENGINE, artifact, threads, self._run_worker)

    def _run_worker(self, folder: Path) -> None:
        _check_half(self.cpu)
        lend_engine(compiled_interpreter.__file__, COMPILED_ENGINE, folder)
        command, env = self._arm.python(self.cpu), self._arm.environment(self.engine)
        run_worker(self.name, command, folder, timeout_s=JOB_TIMEOUT_S, env=env | {compiled_interpreter.CPU_FP16: "1"})


@cache
def _check_half(cpu: str) -> None:
    ArmEngine().check_half(cpu)


class EmulatedSession(FolderSession):
    """Gives pictures; a time it gives to nobody."""

    def time_ms(self, image: Image, runs: int, warmup: int) -> list[float]:
        raise EngineError(EMULATED)
