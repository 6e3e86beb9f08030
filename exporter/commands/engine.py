"""The runtime that a command runs a model file on."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from exporter.artifact import Format
from exporter.commands.words import completes
from exporter.errors import MissingTool, RecipeError

if TYPE_CHECKING:
    from exporter.artifact import Artifact
    from exporter.runtimes.base import Runtime

DEFAULT_RUNTIMES = {Format.TFLITE: "litert_cpu", Format.ONNX: "onnxruntime_cpu", Format.TORCH: "torch_cpu"}


def add_runtime(parser: argparse.ArgumentParser, more: str = "") -> None:
    default = "default: litert_cpu, onnxruntime_cpu or torch_cpu by the file's ending"
    completes(parser.add_argument("--runtime", help=default + more), _runtimes)


def _runtimes(**_: object) -> list[str]:
    from exporter.runtimes import RUNTIMES

    return [runtime.name for runtime in RUNTIMES]


def engine_for(artifact: Artifact, name: str | None) -> Runtime:
    """The runtime called `name`, by default the one for such files.

    Raises RecipeError when there is none of that name or it runs other files, MissingTool when it is not here.
    """
    from exporter.runtimes import runtime

    engine = runtime(name or DEFAULT_RUNTIMES[artifact.format])
    if why := engine.missing():
        raise MissingTool(why)
    if artifact.format != engine.takes:
        raise RecipeError(f"{artifact.path}: {engine.name} runs {engine.takes}, this file is {artifact.format}")
    return engine
