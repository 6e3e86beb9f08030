"""What is done to a file grows with it, not with its square: a network of a thousand operators takes no minutes.

Counted are lines run, loops' rounds included; times are for benchmarks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.helper import make_node

from exporter.convert.translate import translate
from exporter.graph.read import read_graph
from exporter.inspect.gpu.prediction import predict
from exporter.inspect.lint import lint_model
from exporter.passes.onnx.after_export import AFTER_EXPORT
from exporter.passes.run import rewrite_onnx, run_passes
from exporter.passes.tflite.cleanup import CLEANUP
from exporter.quantization.onnx.float_nodes import float_nodes
from exporter.quantization.onnx.qdq import plan_qdq, write_qdq
from exporter.quantization.params import Range
from exporter.quantization.tflite.fp16_graph import write_fp16
from exporter.quantization.tflite.plan import plan_int8
from exporter.quantization.tflite.write import write_int8
from tests.graph.onnx_models import model_of, normal
from tests.steps import lines_run, require_linear

EACH = Range(-4.0, 4.0)
BLOCKS = 6


def _network(blocks: int) -> Any:
    """A picture through `blocks` of what passes look for: 28 operators each."""
    nodes = [make_node("Transpose", ["x"], ["b0"], "in", perm=[0, 3, 1, 2])]
    for number in range(blocks):
        nodes += _block(f"n{number}", f"b{number}", f"b{number + 1}")
    nodes.append(make_node("Transpose", [f"b{blocks}"], ["y"], "out", perm=[0, 2, 3, 1]))
    constants = {
        "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "w": normal(4, 4, 3, 3), "v": normal(4, 4, 1, 1),
        "u": normal(16, 4, 1, 1), "k": np.full((1, 4, 1, 1), 0.5, np.float32), "root": np.float32(2**0.5),
        "one": np.float32(1), "half": np.float32(0.5), "plane": np.array([2, 3]), "tiny": np.float32(1e-6),
        "rows": np.array([1, 4, 16]), "picture": np.array([1, 4, 4, 4]), "m": normal(16, 16), "bias": normal(16),
    }  # fmt: skip
    return model_of(nodes, (1, 4, 4, 4), (1, 4, 4, 4), **constants)


def _block(name: str, x: str, y: str) -> list[Any]:
    lines = f"""
        Pad {x} pads = padded; Conv padded w = c; Relu c = r; Mul r k = scaled; Conv scaled v = e; Add e k = shifted
        Div shifted root = part; Erf part = erf; Add erf one = plus; Mul shifted plus = product; Mul product half = gelu
        ReduceMean gelu plane = mean; Sub gelu mean = centred; Mul centred centred = square
        ReduceMean square plane = variance; Add variance tiny = safe; Sqrt safe = spread; Div centred spread = normal
        Reshape normal rows = flat; MatMul flat m = mixed; Add mixed bias = biased; Softmax biased = weighed
        Reshape weighed picture = back; Conv back u = wide; DepthToSpace wide = shuffled
        AveragePool shuffled = small; Add small {x} = sum; Clip sum = {y}
    """
    options = {
        "DepthToSpace": {"blocksize": 2, "mode": "CRD"},
        "AveragePool": {"kernel_shape": [2, 2], "strides": [2, 2]},
    }
    made = []
    for line in lines.replace("\n", ";").split(";"):
        if line.strip():
            (kind, *inputs), (output,) = (side.split() for side in line.split("="))
            inner = [word if word in _SHARED or word == x else f"{name}_{word}" for word in inputs]
            output = output if output == y else f"{name}_{output}"
            made.append(make_node(kind, inner, [output], output, **options.get(kind, {})))
    return made


_SHARED = {"pads", "w", "v", "u", "k", "root", "one", "half", "plane", "tiny", "rows", "picture", "m", "bias"}


def _prepared(blocks: int) -> Any:
    model = rewrite_onnx(_network(blocks), *AFTER_EXPORT).commit()
    return onnx.shape_inference.infer_shapes(model)


def _tflite(blocks: int) -> bytes:
    graph = translate(_prepared(blocks), channels_last=True)
    run_passes(graph, CLEANUP)
    return graph.to_bytes()


def _count(work: Any) -> int:
    return lines_run(work, "/exporter/")


def test_passes_over_onnx():
    def count(blocks: int) -> int:
        model = _network(blocks)
        return _count(lambda: rewrite_onnx(model, *AFTER_EXPORT).commit())

    require_linear(count, BLOCKS)


def test_translation():
    def count(blocks: int) -> int:
        model = _prepared(blocks)
        return _count(lambda: translate(model, channels_last=True))

    require_linear(count, BLOCKS)


def test_passes_over_tflite():
    def count(blocks: int) -> int:
        graph = translate(_prepared(blocks), channels_last=True)
        return _count(lambda: run_passes(graph, CLEANUP))

    require_linear(count, BLOCKS)


@pytest.mark.slow
def test_int8_of_tflite():
    def count(blocks: int) -> int:
        content = _tflite(blocks)

        def quantize() -> None:
            plan = plan_int8(content)
            write_int8(plan, dict.fromkeys(plan.wanted.tensors, EACH))

        return _count(quantize)

    require_linear(count, BLOCKS)


@pytest.mark.slow
def test_half_precision_of_tflite():
    def count(blocks: int) -> int:
        content = _tflite(blocks)
        return _count(lambda: write_fp16(content))

    require_linear(count, BLOCKS)


def test_int8_of_onnx(tmp_path):
    def count(blocks: int) -> int:
        model = _prepared(blocks)

        def quantize() -> None:
            plan = plan_qdq(model, float_nodes(model))
            write_qdq(plan, dict.fromkeys(plan.wanted.tensors, EACH), tmp_path / "int8.onnx", True)

        return _count(quantize)

    require_linear(count, BLOCKS)


@pytest.mark.parametrize("ending", ["onnx", "tflite"])
def test_looking_into_a_file(ending, tmp_path):
    def count(blocks: int) -> int:
        path = Path(tmp_path / f"{blocks}.{ending}")
        path.write_bytes(_tflite(blocks) if ending == "tflite" else _prepared(blocks).SerializeToString())

        def look() -> None:
            graph = read_graph(path)
            lint_model(path, graph)
            if ending == "tflite":
                predict(graph)

        return _count(look)

    require_linear(count, BLOCKS)
