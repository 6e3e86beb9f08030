"""The LiteRT GPU engine for tests: put together when it is not here yet."""

from __future__ import annotations

from pathlib import Path

from exporter.rigs.gpu_probe import GpuAnswer, ask_gpu
from exporter.rigs.litert_gpu import LiteRtGpuRig
from tests.rig import put_together


def gpu_rig() -> LiteRtGpuRig:
    """The rig, put together."""
    rig = LiteRtGpuRig()
    put_together(rig)
    return rig


def ask(*models: Path, precision: str = "fp16", compile_only: bool = False) -> list[GpuAnswer]:
    return ask_gpu(models, gpu_rig().folder, precision, compile_only=compile_only)
