"""The LiteRT GPU engine for tests: put together when it is not here yet."""

from __future__ import annotations

from pathlib import Path

from exporter.engines.gpu_probe import GpuAnswer, ask_gpu
from exporter.engines.litert_gpu import LiteRtGpuEngine
from tests.installed import put_together


def gpu_engine() -> LiteRtGpuEngine:
    """The engine, put together."""
    engine = LiteRtGpuEngine()
    put_together(engine)
    return engine


def ask(*models: Path, precision: str = "fp16", compile_only: bool = False) -> list[GpuAnswer]:
    return ask_gpu(models, gpu_engine().folder, precision, compile_only=compile_only)
