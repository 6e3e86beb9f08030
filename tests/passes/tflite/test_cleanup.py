"""The .tflite side: translation operator by operator, and the cleanups after it."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from onnx import helper

from exporter.convert.builder import Untranslatable
from exporter.convert.translate import translate
from exporter.graph.tflite_editor import TfliteGraph
from exporter.passes.tflite import cleanup as cleanup
from tests.graph.onnx_models import computed, model_of, normal

make = helper.make_node


def invoked(content, x):
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def assert_same(model, graph, shape=(1, 4, 8, 12)):
    x = normal(*shape, seed=5)
    made = invoked(graph.to_bytes(), np.ascontiguousarray(x.transpose(0, 2, 3, 1)))
    assert np.allclose(made.transpose(0, 3, 1, 2), computed(model, x), atol=2e-5)


SIZE = (1, 4, 8, 12)
W3, W4, DW = normal(4, 4, 3, 3), normal(4, 4, 4, 4), normal(8, 1, 3, 3)
CASES = {
    "same": (make("Conv", ["x", "w"], ["y"], pads=[1] * 4), SIZE, {"w": W3}),
    "same upper": (
        make("Conv", ["x", "w"], ["y"], auto_pad="SAME_UPPER", strides=[2, 2]),
        (1, 4, 4, 6),
        {"w": W3},
    ),
    "symmetric stride": (
        make("Conv", ["x", "w"], ["y"], pads=[1] * 4, strides=[2, 2]),
        (1, 4, 4, 6),
        {"w": W3},
    ),
    "dilated": (make("Conv", ["x", "w"], ["y"], pads=[2] * 4, dilations=[2, 2]), SIZE, {"w": W3}),
    "depthwise ×2": (make("Conv", ["x", "w"], ["y"], pads=[1] * 4, group=4), (1, 8, 8, 12), {"w": DW}),
    "grouped": (make("Conv", ["x", "w"], ["y"], group=2), (1, 6, 8, 12), {"w": normal(6, 2, 1, 1)}),
    "up 2": (
        make("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2]),
        (1, 4, 16, 24),
        {"w": normal(4, 4, 2, 2)},
    ),
    "up 3": (
        make("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], pads=[1] * 4, output_padding=[1, 1]),
        (1, 4, 16, 24),
        {"w": W3},
    ),
    "up 4": (
        make("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], pads=[1] * 4),
        (1, 4, 16, 24),
        {"w": W4},
    ),
    "up 5": (
        make("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], pads=[2] * 4, output_padding=[1, 1]),
        (1, 4, 16, 24),
        {"w": normal(4, 4, 5, 5)},
    ),
    "max": (make("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2]), (1, 4, 4, 6), {}),
    "average": (make("AveragePool", ["x"], ["y"], kernel_shape=[3, 3], pads=[1] * 4), SIZE, {}),
    "mean": (make("GlobalAveragePool", ["x"], ["y"]), (1, 4, 1, 1), {}),
    "channel mean": (make("ReduceMean", ["x", "a"], ["y"]), (1, 1, 8, 12), {"a": np.array([1])}),
    "nearest": (
        make("Resize", ["x", "", "s"], ["y"], coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
        (1, 4, 16, 24),
        {"s": np.array([1, 1, 2, 2], np.float32)},
    ),
    "bilinear": (
        make("Resize", ["x", "", "s"], ["y"], mode="linear"),
        (1, 4, 16, 24),
        {"s": np.array([1, 1, 2, 2], np.float32)},
    ),
    "corners": (
        make("Resize", ["x", "", "s"], ["y"], mode="linear", coordinate_transformation_mode="align_corners"),
        (1, 4, 16, 24),
        {"s": np.array([1, 1, 2, 2], np.float32)},
    ),
    "cut": (
        make("Slice", ["x", "b", "e", "a"], ["y"]),
        (1, 2, 8, 9),
        {"b": np.array([-3, 1]), "e": np.array([3, -2]), "a": np.array([1, 3])},
    ),
    "pad": (
        make("Pad", ["x", "p", "v"], ["y"]),
        (1, 4, 9, 14),
        {"p": np.array([0, 0, 1, 2, 0, 0, 0, 0]), "v": np.float32(2)},
    ),
    "mirror": (
        make("Pad", ["x", "p"], ["y"], mode="reflect"),
        (1, 4, 10, 14),
        {"p": np.array([0, 0, 1, 1] * 2)},
    ),
    "clamp": (make("Clip", ["x", "l", "h"], ["y"]), SIZE, {"l": np.float32(-0.5), "h": np.float32(0.25)}),
    "clamp above": (make("Clip", ["x", "", "h"], ["y"]), SIZE, {"h": np.float32(0.25)}),
    "one slope": (make("PRelu", ["x", "s"], ["y"]), SIZE, {"s": np.full((4, 1, 1), 0.2, np.float32)}),
    "slopes": (make("PRelu", ["x", "s"], ["y"]), SIZE, {"s": normal(4, 1, 1)}),
    "hard sigmoid": (make("HardSigmoid", ["x"], ["y"], alpha=0.25), SIZE, {}),
    "softmax": (make("Softmax", ["x"], ["y"], axis=1), SIZE, {}),
    "per channel": (make("Mul", ["x", "k"], ["y"]), SIZE, {"k": normal(4, 1, 1)}),
    "turned round": (make("Sub", ["k", "x"], ["y"]), SIZE, {"k": np.float32(1)}),
    "divide": (make("Div", ["x", "k"], ["y"]), SIZE, {"k": np.float32([4])}),
    "norm": (
        make("BatchNormalization", ["x", "a", "b", "m", "v"], ["y"]),
        SIZE,
        {
            "a": normal(4),
            "b": normal(4, seed=1),
            "m": normal(4, seed=2),
            "v": np.abs(normal(4, seed=3)) + 0.5,
        },
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_translation(case):
    node, target, constants = CASES[case]
    model = model_of([node], SIZE, target, **constants)
    assert_same(model, translate(model))


def test_height_equal_to_channels_confuses_nobody():
    node = make("PRelu", ["x", "s"], ["y"])
    model = model_of([node], (1, 8, 8, 8), (1, 8, 8, 8), s=normal(8, 1, 1))
    assert_same(model, translate(model), (1, 8, 8, 8))


@pytest.mark.parametrize(
    ("node", "constants"),
    [
        (make("RandomNormalLike", ["x"], ["y"], name="here"), {}),
        (make("Dropout", ["x", "r", "t"], ["y"], name="here"), {"r": np.array(0.5, np.float32), "t": np.array(True)}),
        (make("Det", ["x"], ["y"], name="here"), {}),
    ],
)
def test_what_has_no_translation_is_named(node, constants):
    with pytest.raises(Untranslatable) as caught:
        translate(model_of([node], SIZE, SIZE, **constants))
    assert (caught.value.op, caught.value.node) == (node.op_type, "here")


def test_the_source_is_left_as_it_was():
    model = model_of([make("Conv", ["x", "w"], ["y"], pads=[1] * 4)], SIZE, SIZE, w=W3)
    before = model.SerializeToString()
    translate(model)
    assert model.SerializeToString() == before


def _kinds(graph):
    return [graph.kind(operator) for operator in graph.operators]


def test_what_follows_a_convolution_goes_into_it():
    nodes = [
        make("ConvTranspose", ["x", "w", "b"], ["a"], strides=[2, 2]),
        make("Mul", ["a", "k"], ["c"]),
        make("Sub", ["c", "k"], ["d"]),
        make("Conv", ["d", "v"], ["e"], group=4),
        make("Mul", ["e", "k"], ["f"]),
        make("Clip", ["f", "zero", "six"], ["y"]),
    ]
    numbers = {"w": normal(4, 4, 2, 2), "b": normal(4), "v": normal(4, 1, 1, 1), "k": normal(4, 1, 1)}
    model = model_of(nodes, SIZE, (1, 4, 16, 24), zero=np.float32(0), six=np.float32(6), **numbers)
    graph = translate(model)
    assert cleanup.fold_into_convolutions(graph) and not cleanup.fold_into_convolutions(graph)
    assert cleanup.fuse_activations(graph) and not cleanup.fuse_activations(graph)
    assert _kinds(graph) == ["TRANSPOSE_CONV", "DEPTHWISE_CONV_2D"]
    assert_same(model, graph)


def test_a_shared_output_is_not_folded():
    nodes = [make("Conv", ["x", "w"], ["a"]), make("Mul", ["a", "k"], ["b"]), make("Add", ["a", "b"], ["y"])]
    model = model_of(nodes, SIZE, SIZE, w=normal(4, 4, 1, 1), k=normal(4, 1, 1))
    graph = translate(model)
    assert not cleanup.fold_into_convolutions(graph)
    assert_same(model, graph)


@pytest.mark.parametrize("first", ["MINIMUM", "RELU"])
def test_two_clamps_become_one(first):
    nodes = [make("Min", ["x", "one"], ["a"]), make("Relu", ["a"], ["y"])]
    if first == "RELU":
        nodes = [make("Relu", ["x"], ["a"]), make("Min", ["a", "one"], ["y"])]
    model = model_of(nodes, SIZE, SIZE, one=np.float32(1))
    graph = translate(model)
    assert cleanup.join_clamps(graph)
    assert _kinds(graph) == ["RELU_0_TO_1"]
    assert_same(model, graph)


def test_transpositions_meet_through_what_is_elementwise():
    model = model_of([make("HardSwish", ["x"], ["a"]), make("Mul", ["a", "k"], ["y"])], SIZE, SIZE, k=np.float32(2))
    graph = translate(model)
    there = graph.add_tensor("there", (1, 4, 8, 12), "FLOAT32")
    perm = graph.add_constant("perm", np.array([0, 3, 1, 2], np.int32))
    first, second = graph.operators
    graph.operators.insert(0, graph.new_operator("TRANSPOSE", 1, [first.inputs[0], perm], [there], "TransposeOptions"))
    first.inputs[0] = there
    for operator in (first, second):
        graph.tensors[operator.outputs[0]].shape = [1, 4, 8, 12]
    cleanup.give_out_channels_last(graph)
    back = graph.add_constant("back", np.array([0, 2, 3, 1], np.int32))
    out = graph.add_tensor("out", (1, 8, 12, 4), "FLOAT32")
    graph.operators.append(graph.new_operator("TRANSPOSE", 1, [graph.outputs[0], back], [out], "TransposeOptions"))
    graph.outputs = [out]
    assert cleanup.cancel_transpositions(graph)
    assert "TRANSPOSE" not in _kinds(graph)
    assert_same(model, graph)


def test_the_file_is_stable_and_aligned():
    model = model_of([make("Conv", ["x", "w"], ["y"], pads=[1] * 4)], SIZE, SIZE, w=W3)
    content = translate(model).to_bytes()
    again = TfliteGraph(content)
    assert again.to_bytes() == content
    weights = again.constant(again.operators[0].inputs[1])
    assert content.index(weights.tobytes()) % 16 == 0
