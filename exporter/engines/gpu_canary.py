"""Two tiny files that show whether the GPU engine judges as a phone's would; and what happens when it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from exporter.engines.gpu_probe import SOFTWARE, GpuAnswer, GpuPrecision, ask_gpu
from exporter.errors import EngineError
from exporter.graph.tflite_editor import TfliteGraph

SIDE = 8
_LARGEST = 200_000.0  # above fp16's 65504 for inputs above 0.33


def write_overflow(path: Path) -> Path:
    """out = in·200000 · 1e-5 = 2·in: right in fp32, infinite in fp16 where in > 0.33."""
    graph, source, target = _ends()
    here = source
    # Up in two steps, so that no constant is itself too large for half precision.
    for name, factor in (("larger", _LARGEST / 256), ("large", 256.0), ("output", 2 / _LARGEST)):
        made = target if name == "output" else graph.add_tensor(name, graph.shape(source), "FLOAT32")
        stored = graph.add_constant(f"{name} factor", np.full((1, 1, 1, 3), factor, np.float32))
        graph.operators.append(graph.new_operator("MUL", 1, [here, stored], [made], "MulOptions"))
        here = made
    path.write_bytes(graph.to_bytes())
    return path


def write_six_dimensions(path: Path) -> Path:
    """Windows as attention networks cut them: RESHAPE to rank 6, TRANSPOSE, RESHAPE back. No GPU takes it."""
    graph, source, target = _ends()
    half = SIDE // 2
    cut = graph.add_tensor("cut", (1, 2, half, 2, half, 3), "FLOAT32")
    moved = graph.add_tensor("moved", (1, 2, 2, half, half, 3), "FLOAT32")
    order = graph.add_constant("order", np.array([0, 1, 3, 2, 4, 5], np.int32))
    shapes = [
        graph.add_constant(f"shape of {graph.name(i)}", np.array(graph.shape(i), np.int32)) for i in (cut, target)
    ]
    graph.operators = [
        graph.new_operator("RESHAPE", 1, [source, shapes[0]], [cut], "ReshapeOptions"),
        graph.new_operator("TRANSPOSE", 2, [cut, order], [moved], "TransposeOptions"),
        graph.new_operator("RESHAPE", 1, [moved, shapes[1]], [target], "ReshapeOptions"),
    ]
    for operator, index in ((graph.operators[0], cut), (graph.operators[2], target)):
        operator.builtinOptions.newShape = list(graph.shape(index))
    path.write_bytes(graph.to_bytes())
    return path


def check_engine(engine: Path, scratch: Path) -> str:
    """Start the engine on both files, in both precisions; gives the adapter's name.

    Raises EngineError when there is no software Vulkan, when half precision does not overflow, or when rank 6 is taken.
    """
    files = [write_overflow(scratch / "overflow.tflite"), write_six_dimensions(scratch / "six_dimensions.tflite")]
    exact, _ = _answers(files, engine, "fp32")
    half, six = _answers(files, engine, "fp16")
    given, wanted = exact.outputs[0], [2 * value for value in exact.inputs[0]]
    if None in given or not np.allclose(np.array(given, np.float64), wanted, rtol=1e-5):
        raise EngineError("the LiteRT GPU engine computes wrongly in fp32: 2·x is not 2·x")
    if None not in half.outputs[0]:
        raise EngineError(f"{half.adapter} does not overflow in fp16 where a phone does: it computes in fp32")
    if "RESHAPE" not in six.refused:
        raise EngineError("the LiteRT GPU engine takes a tensor of rank 6, which no phone's does")
    return half.adapter


def _answers(files: list[Path], engine: Path, precision: GpuPrecision) -> tuple[GpuAnswer, GpuAnswer]:
    overflow, six = ask_gpu(files, engine, precision)
    if not overflow.accepted:
        raise EngineError(f"the LiteRT GPU engine does not start: {overflow.reason}")
    if SOFTWARE not in overflow.adapter:
        raise EngineError(
            f"the LiteRT GPU engine runs on {overflow.adapter or 'an unnamed adapter'}, not on {SOFTWARE}"
        )
    return overflow, six


def _ends() -> tuple[TfliteGraph, int, int]:
    graph = TfliteGraph.empty()
    source, target = (graph.add_tensor(name, (1, SIDE, SIDE, 3), "FLOAT32") for name in ("input", "output"))
    graph.inputs, graph.outputs = [source], [target]
    return graph, source, target
