"""The LiteRT GPU engine for tests: put together when it is not here yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.errors import EngineError
from exporter.rigs.gpu_probe import GpuAnswer, ask_gpu
from exporter.rigs.litert_gpu import LiteRtGpuRig


def gpu_rig() -> LiteRtGpuRig:
    """The installed rig. Skips the test when Debian or PyPI no longer serve a part of it."""
    rig = LiteRtGpuRig()
    if rig.installed():
        try:
            rig.install(lambda line: None)
        except EngineError as error:
            pytest.skip(f"the LiteRT GPU engine cannot be put together here: {error}")
    return rig


def ask(*models: Path, precision: str = "fp16", compile_only: bool = False) -> list[GpuAnswer]:
    return ask_gpu(models, gpu_rig().folder, precision, compile_only=compile_only)
