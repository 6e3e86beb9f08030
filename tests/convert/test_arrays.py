"""Operators beyond pictures: whatever order a tensor is held in, the numbers are ONNX Runtime's."""

import numpy as np
import onnx
import pytest
from onnx import helper

from exporter.convert.translate import translate
from exporter.graph.onnx_editor import OnnxGraph
from exporter.passes.onnx.gelu import join_gelu
from exporter.passes.tflite.cleanup import join_reshapes
from tests.graph.onnx_models import computed, kinds, model_of, normal
from tests.passes.tflite.test_cleanup import invoked

make = helper.make_node
SIZE = (1, 4, 8, 12)


def converted(nodes, source=SIZE, target=SIZE, **constants):
    """The .tflite graph, after its numbers were compared with ONNX Runtime's."""
    model = model_of(nodes, source, target, **constants)
    graph = translate(model)
    join_reshapes(graph)
    x = normal(*source, seed=5)
    made = invoked(graph.to_bytes(), np.ascontiguousarray(x.transpose(0, 2, 3, 1)))
    right = computed(model, x)
    largest = max(1.0, float(np.abs(right).max()))  # a float32 has 24 bits, wherever its point stands
    assert np.abs(made.transpose(0, 3, 1, 2) - right).max() < 1e-5 * largest
    return graph


def operators(graph):
    return [graph.kind(operator) for operator in graph.operators]


def largest_rank(graph):
    return max(len(graph.shape(index)) for index in range(len(graph.tensors)))


def ints(*values):
    return np.array(values, np.int64)


CASES = {
    "softmax over rows": ([make("Softmax", ["x"], ["y"], axis=2)], SIZE, {}),
    "softmax over columns": ([make("Softmax", ["x"], ["y"], axis=-1)], SIZE, {}),
    "every second pixel": (
        [make("Slice", ["x", "b", "e", "a", "s"], ["y"])],
        (1, 4, 4, 4),
        {"b": ints(1, 0), "e": ints(8, 12), "a": ints(2, 3), "s": ints(2, 3)},
    ),
    "one channel": (
        [make("Gather", ["x", "i"], ["p"], axis=1), make("Unsqueeze", ["p", "a"], ["y"])],
        (1, 1, 8, 12),
        {"i": np.array(-2), "a": ints(1)},
    ),
    "channels turned round": ([make("Gather", ["x", "i"], ["y"], axis=1)], SIZE, {"i": ints(2, 1, 0, 3)}),
    "a picture's mean spread": (
        [make("ReduceMean", ["x", "a"], ["m"], keepdims=0), make("Reshape", ["m", "r"], ["n"]),
         make("Expand", ["n", "s"], ["y"])],
        SIZE,
        {"a": ints(2, 3), "r": ints(1, 4, 1, 1), "s": ints(1, 4, 8, 12)},
    ),
    "layer norm, channels last": (
        [make("Transpose", ["x"], ["t"], perm=[0, 2, 3, 1]), make("LayerNormalization", ["t", "w", "b"], ["n"]),
         make("Transpose", ["n"], ["y"], perm=[0, 3, 1, 2])],
        SIZE,
        {"w": normal(4), "b": normal(4, seed=1)},
    ),
    "layer norm, columns": ([make("LayerNormalization", ["x", "w"], ["y"])], SIZE, {"w": normal(12)}),
    "instance norm": (
        [make("InstanceNormalization", ["x", "w", "b"], ["y"])],
        SIZE,
        {"w": normal(4), "b": normal(4, seed=1)},
    ),
    "weights to the right": ([make("MatMul", ["x", "w"], ["y"])], (1, 4, 8, 5), {"w": normal(12, 5)}),
    "weights to the left": ([make("MatMul", ["w", "x"], ["y"])], (1, 4, 5, 12), {"w": normal(5, 8)}),
    "a vector to the right": ([make("MatMul", ["x", "v"], ["p"]), make("Reshape", ["p", "s"], ["y"])], (1, 4, 8, 1),
                              {"v": normal(12), "s": ints(1, 4, 8, 1)}),
    "a vector to the left": ([make("MatMul", ["v", "x"], ["p"]), make("Reshape", ["p", "s"], ["y"])], (1, 4, 1, 12),
                             {"v": normal(8), "s": ints(1, 4, 1, 12)}),
    "two activations": (
        [make("Transpose", ["x"], ["t"], perm=[0, 1, 3, 2]), make("MatMul", ["x", "t"], ["y"])],
        (1, 4, 8, 8),
        {},
    ),
    "fully connected": (
        [make("Flatten", ["x"], ["f"]), make("Gemm", ["f", "w", "b"], ["g"], transB=1, alpha=0.5, beta=2.0),
         make("Reshape", ["g", "s"], ["y"])],
        (1, 3, 2, 2),
        {"w": normal(12, 384), "b": normal(12), "s": ints(1, 3, 2, 2)},
    ),
    "borders repeated": (
        [make("Pad", ["x", "p"], ["y"], mode="edge")],
        (1, 4, 12, 18),
        {"p": ints(0, 0, 1, 5, 0, 0, 3, 1)},
    ),
    "nothing repeated": ([make("Pad", ["x", "p"], ["y"], mode="edge")], SIZE, {"p": ints(*[0] * 8)}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_translation(case):
    nodes, target, constants = CASES[case]
    converted(nodes, target=target, **constants)


@pytest.mark.parametrize("perm", [(0, 1, 3, 5, 2, 4), (0, 5, 3, 1, 4, 2), (0, 4, 1, 5, 2, 3)])
def test_rank_six_is_taken_apart(perm):
    """No delegate knows rank 6; every permutation is a chain of transpositions of rank 4 at most."""
    shape = (1, 4, 4, 2, 6, 2)
    back = np.array([int(np.prod([shape[a] for a in perm[:2]])), 4, -1], np.int64)
    nodes = [
        make("Reshape", ["x", "split"], ["six"]),
        make("Transpose", ["six"], ["turned"], perm=perm),
        make("Reshape", ["turned", "join"], ["flat"]),
        make("Reshape", ["flat", "out"], ["y"]),
    ]
    graph = converted(nodes, split=ints(*shape), join=back, out=ints(*SIZE))
    assert largest_rank(graph) <= 4


def test_windows_of_a_rank_six_network_are_one_space_to_depth():
    """Swin's own partition: six axes, of which only two move past each other, are blocks of 4 × 4 pixels."""
    nodes = [
        make("Transpose", ["x"], ["t"], perm=[0, 2, 3, 1]),
        make("Reshape", ["t", "split"], ["six"]),
        make("Transpose", ["six"], ["turned"], perm=[0, 1, 3, 2, 4, 5]),
        make("Reshape", ["turned", "windows"], ["w"]),
        make("Reshape", ["w", "out"], ["z"]),
        make("Transpose", ["z"], ["y"], perm=[0, 3, 1, 2]),
    ]
    graph = converted(nodes, split=ints(1, 2, 4, 3, 4, 4), windows=ints(6, 16, 4), out=ints(1, 8, 12, 4))
    assert operators(graph) == ["SPACE_TO_DEPTH", "RESHAPE"]
    assert largest_rank(graph) == 4


def test_transpositions_that_undo_each_other_are_never_written():
    nodes = [
        make("Transpose", ["x"], ["a"], perm=[0, 2, 3, 1]),
        make("Tanh", ["a"], ["b"]),
        make("Transpose", ["b"], ["c"], perm=[3, 0, 1, 2]),
        make("Transpose", ["c"], ["d"], perm=[1, 0, 2, 3]),
        make("Add", ["d", "x"], ["y"]),
    ]
    assert operators(converted(nodes)) == ["TANH", "ADD"]


def test_channel_attention_of_one_head_moves_nothing():
    """Restormer's: pixels stay before channels all the way, and the products transpose by their own flags."""
    nodes = [
        make("Reshape", ["x", "flat"], ["q"]),
        make("Transpose", ["q"], ["k"], perm=[0, 1, 3, 2]),
        make("MatMul", ["q", "k"], ["s"]),
        make("Softmax", ["s"], ["p"], axis=-1),
        make("MatMul", ["p", "q"], ["v"]),
        make("Reshape", ["v", "back"], ["y"]),
    ]
    graph = converted(nodes, flat=ints(1, 1, 4, 96), back=ints(*SIZE))
    assert "TRANSPOSE" not in operators(graph)
    assert largest_rank(graph) <= 4


@pytest.mark.parametrize("heads", [2, 4, 8])
def test_window_attention_where_sizes_say_nothing(heads):
    """With as many heads as channels a head, or as pixels, guessing axes from sizes fails."""
    channels, pixels = 16, 8 * 12
    nodes = [
        make("Transpose", ["x"], ["a"], perm=[0, 2, 3, 1]),
        make("Reshape", ["a", "windows"], ["w"]),
        make("MatMul", ["w", "qw"], ["q0"]), make("Add", ["q0", "bias"], ["q1"]),
        make("MatMul", ["w", "kw"], ["k1"]),
        make("Reshape", ["q1", "split"], ["q2"]), make("Transpose", ["q2"], ["q"], perm=[0, 2, 1, 3]),
        make("Reshape", ["k1", "split"], ["k2"]), make("Transpose", ["k2"], ["k"], perm=[0, 2, 3, 1]),
        make("Transpose", ["k2"], ["v"], perm=[0, 2, 1, 3]),
        make("MatMul", ["q", "k"], ["s"]), make("Add", ["s", "table"], ["b"]),
        make("Softmax", ["b"], ["p"], axis=-1), make("MatMul", ["p", "v"], ["o"]),
        make("Transpose", ["o"], ["o1"], perm=[0, 2, 1, 3]), make("Reshape", ["o1", "join"], ["o2"]),
        make("Transpose", ["o2"], ["y"], perm=[0, 3, 1, 2]),
    ]  # fmt: skip
    constants = {
        "windows": ints(6, 16, channels), "qw": normal(channels, channels) / 4,
        "kw": normal(channels, channels, seed=1) / 4, "bias": normal(channels), "table": normal(1, heads, 16, 16),
        "split": ints(6, 16, heads, channels // heads), "join": ints(1, 8, 12, channels),
    }  # fmt: skip
    assert pixels == 6 * 16
    graph = converted(nodes, (1, channels, 8, 12), (1, channels, 8, 12), **constants)
    assert largest_rank(graph) <= 4 and operators(graph).count("CONV_2D") == 2
    assert "TRANSPOSE" not in operators(graph) and operators(graph).count("SLICE") == 3 * heads
    assert operators(graph).count("ADD") == heads  # of the table; the bias is in its convolution


RESIZES = {
    "bicubic": ({"mode": "cubic"}, 2, 2),
    "bicubic ×3": ({"mode": "cubic", "cubic_coeff_a": -0.5}, 3, 3),
    "bicubic, corners": ({"mode": "cubic", "coordinate_transformation_mode": "align_corners"}, 2, 1.5),
    "bicubic down": ({"mode": "cubic", "antialias": 1}, 0.5, 0.5),
    "bilinear down": ({"mode": "linear", "antialias": 1}, 0.5, 0.25),
    "nearest, half pixel": ({"mode": "nearest"}, 2, 1.5),
    "nearest, ceil": ({"mode": "nearest", "nearest_mode": "ceil"}, 2, 1),
    "PyTorch's bilinear": ({"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"}, 2, 3),
}


@pytest.mark.parametrize("name", RESIZES)
def test_every_resize_convention(name):
    options, down, right = RESIZES[name]
    scales = np.array([1, 1, down, right], np.float32)
    target = (1, 4, round(8 * down), round(12 * right))
    converted([make("Resize", ["x", "", "s"], ["y"], **options)], target=target, s=scales)


def _gelu(divide, half_first):
    scale = make("Div", ["x", "root"], ["a"]) if divide else make("Mul", ["x", "inverse"], ["a"])
    tail = [make("Mul", ["c", "half"], ["d"]), make("Mul", ["x", "d"], ["y"])]
    if not half_first:
        tail = [make("Mul", ["x", "c"], ["d"]), make("Mul", ["d", "half"], ["y"])]
    nodes = [scale, make("Erf", ["a"], ["b"]), make("Add", ["b", "one"], ["c"]), *tail]
    numbers = {"root": 2**0.5, "inverse": 0.5**0.5, "half": 0.5, "one": 1.0}
    return nodes, {name: np.float32(value) for name, value in numbers.items()}


@pytest.mark.parametrize("divide", [True, False])
@pytest.mark.parametrize("half_first", [True, False])
def test_gelu_is_one_operator(divide, half_first):
    nodes, constants = _gelu(divide, half_first)
    assert operators(converted(nodes, **constants)) == ["GELU"]


def test_what_is_not_quite_gelu_stays():
    nodes, constants = _gelu(True, True)
    graph = OnnxGraph(
        onnx.shape_inference.infer_shapes(model_of(nodes, SIZE, SIZE, **constants | {"one": np.float32(0.9)}))
    )
    assert not join_gelu(graph)
    assert kinds(graph.commit()) == ["Div", "Erf", "Add", "Mul", "Mul"]
