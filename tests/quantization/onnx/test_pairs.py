"""Pairs stand where ONNX Runtime's quantizer puts them, and carry its numbers: the files are the same to the byte.

Products of two activations are ours: what a softmax reads of them is not rounded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.helper import make_node

from exporter.quantization.onnx.float_nodes import float_nodes
from exporter.quantization.onnx.qdq import plan_qdq, write_qdq
from exporter.quantization.ranges.estimators import calibrate_onnx
from exporter.quantization.settings import Int8Settings
from tests.graph.onnx_models import model_of, normal
from tests.quantization.onnx.by_onnxruntime import by_onnxruntime
from tests.stages.chain import to_onnx

PICTURE = (1, 8, 8, 4)


def _between(*nodes: Any, channels: int = 4, side: int = 8, **constants: np.ndarray) -> Any:
    """`nodes`, which make b (1, channels, side, side) of a (1, 4, 8, 8), between the permutations of a file."""
    ends = (make_node("Transpose", ["x"], ["a"], "in", perm=[0, 3, 1, 2]),)
    last = make_node("Transpose", ["b"], ["y"], "out", perm=[0, 2, 3, 1])
    return model_of([*ends, *nodes, last], PICTURE, (1, side, side, channels), **constants)


def _conv(source: str, target: str, *more: str, kind: str = "Conv", **options: Any) -> Any:
    return make_node(kind, [source, f"w_{target}", *more], [target], f"conv_{target}", **options)


W = normal(4, 4, 1, 1, seed=1)
HUGE = np.array([1e9, -3, 0, 1], np.float32)
MODELS = {
    "convolution": _between(_conv("a", "b", "bias"), w_b=W, bias=normal(4)),
    "bias of two": _between(_conv("a", "c", "bias"), _conv("c", "b", "bias"), w_c=W, w_b=W, bias=normal(4)),
    "weights of two": _between(
        make_node("Conv", ["a", "w", "p"], ["c"], "c"), make_node("Conv", ["c", "w", "q"], ["b"], "b"), w=W,
        p=normal(4), q=normal(4, seed=3),
    ),
    "large bias, small weights": _between(_conv("a", "b", "bias"), w_b=W * 1e-6, bias=HUGE),
    "silent channel": _between(_conv("a", "b"), w_b=W * np.array([1, 0, 1, 1], np.float32).reshape(4, 1, 1, 1)),
    "relu": _between(_conv("a", "c"), make_node("Relu", ["c"], ["b"], "r"), w_c=W),
    "relu beside": _between(
        _conv("a", "c"), make_node("Relu", ["c"], ["r"], "r"), make_node("Add", ["r", "c"], ["b"], "s"), w_c=W
    ),
    "two clamps": _between(
        _conv("a", "c"), make_node("Relu", ["c"], ["r"], "r"), make_node("Clip", ["r", "", "one"], ["b"], "k"),
        w_c=W, one=np.float32(1),
    ),
    "relu of the picture": _between(make_node("Relu", ["a"], ["r"], "r"), _conv("r", "b"), w_b=W),
    "transposed": _between(
        _conv("a", "b", "bias", kind="ConvTranspose", strides=[2, 2]), side=16, w_b=normal(4, 4, 2, 2), bias=normal(4)
    ),
    "constants": _between(
        make_node("Mul", ["a", "k"], ["c"], "m"), make_node("Add", ["c", "one"], ["b"], "s"),
        k=np.abs(normal(1, 4, 1, 1)), one=np.float32(0),
    ),
    "parts": _between(
        make_node("Split", ["a"], ["p", "q"], "split", axis=1, num_outputs=2),
        make_node("Sigmoid", ["p"], ["s"], "s"), make_node("Concat", ["s", "q"], ["b"], "c", axis=1),
    ),
    "mirrored": _between(
        make_node("Pad", ["a", "pads"], ["p"], "pad", mode="reflect"), _conv("p", "b"), w_b=normal(4, 4, 3, 3),
        pads=np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    ),
    "border of one": _between(
        make_node("Pad", ["a", "pads", "one"], ["p"], "pad"), _conv("p", "b"), w_b=normal(4, 4, 3, 3),
        pads=np.array([0, 0, 1, 1, 0, 0, 1, 1]), one=np.float32(1),
    ),
    "sizes": _between(
        make_node("AveragePool", ["a"], ["p"], "p", kernel_shape=[2, 2], strides=[2, 2]), _conv("p", "c"),
        make_node("Resize", ["c", "", "twice"], ["b"], "r", mode="linear"),
        w_c=W, twice=np.array([1, 1, 2, 2], np.float32),
    ),
    "blocks": _between(
        _conv("a", "c"), make_node("DepthToSpace", ["c"], ["b"], "d", blocksize=2), channels=1, side=16, w_c=W
    ),
    "product": _between(
        make_node("Reshape", ["a", "flat"], ["f"], "flat"), make_node("MatMul", ["f", "w"], ["m"], "m"),
        make_node("Reshape", ["m", "whole"], ["b"], "whole"),
        flat=np.array([1, 32, 8]), whole=np.array([1, 4, 8, 8]), w=normal(8, 8),
    ),
    "gemm": _between(
        make_node("GlobalAveragePool", ["a"], ["g"], "g"), make_node("Flatten", ["g"], ["f"], "f"),
        make_node("Gemm", ["f", "w", "bias"], ["m"], "m", transB=1, beta=0.5),
        make_node("Reshape", ["m", "shape"], ["k"], "shape"), make_node("Mul", ["a", "k"], ["b"], "s"),
        w=normal(4, 4), bias=normal(4), shape=np.array([1, 4, 1, 1]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("unsigned", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_every_operator(name, unsigned, tmp_path):
    _require_equal(MODELS[name], unsigned, tmp_path)


@pytest.mark.parametrize(
    ("arch", "kwargs"),
    [("mobilenetv3_student", {"preset": "s"}), ("attention_unet", {"width": 8})],
)
def test_whole_networks(arch, kwargs, tmp_path):
    _require_equal(onnx.load(to_onnx(tmp_path, arch, **kwargs).path), True, tmp_path)


def _require_equal(model: Any, unsigned: bool, folder: Path) -> None:
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    picture = np.random.default_rng(0).random(shape[1:], np.float32)
    plan = plan_qdq(model, float_nodes(model))
    ranges = calibrate_onnx(model, plan.wanted, [picture], Int8Settings()).ranges
    write_qdq(plan, ranges, folder / "ours.onnx", unsigned)
    theirs = by_onnxruntime(plan, ranges, folder / "theirs.onnx", unsigned)
    assert any(node.op_type == "QuantizeLinear" for node in theirs.graph.node)
    assert _plain(onnx.load(folder / "ours.onnx")) == _plain(theirs)


def _plain(model: Any) -> bytes:
    """Without the note that weights were once in a file of their own."""
    for tensor in model.graph.initializer:
        tensor.ClearField("data_location")
    return model.SerializeToString(deterministic=True)
