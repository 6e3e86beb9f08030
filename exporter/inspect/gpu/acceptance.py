"""Whether the LiteRT GPU engine takes a whole file: the engine's own verdict, from a compile for the GPU alone.

`is_fully_accelerated()` is True with half of a file on the CPU, and TensorFlow's analyzer calls rank 6 compatible.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from exporter.artifact import Artifact
from exporter.engines.gpu_probe import GpuAnswer, GpuPrecision, ask_gpu
from exporter.engines.litert_gpu import LiteRtGpuEngine
from exporter.errors import MissingTool


def accepted(artifact: Artifact, precision: GpuPrecision = "fp16") -> str | None:
    """None when the GPU takes every operator of the .tflite, else the refused operators with the engine's reasons.

    Raises MissingTool when the engine is not installed.
    """
    (answer,) = engine_answers([artifact.path], precision)
    return None if answer.accepted else answer.reason


def engine_answers(
    paths: Sequence[Path], precision: GpuPrecision = "fp16", *, compile_only: bool = True
) -> list[GpuAnswer]:
    """The engine's answers to several .tflite files, from one start of it. Raises MissingTool as `accepted` does."""
    engine = LiteRtGpuEngine()
    if why := engine.installed():
        raise MissingTool(why)
    return ask_gpu([path.absolute() for path in paths], engine.folder, precision, compile_only=compile_only)
