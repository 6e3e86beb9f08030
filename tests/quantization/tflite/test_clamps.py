"""A clamp goes only where the code does its work: the INT8 file's values are looked at, not its scales."""

import math

import numpy as np
import pytest
from onnx import helper

from exporter.convert.translate import translate
from exporter.graph.tflite_editor import TfliteGraph
from exporter.quantization.search.engine import Engine
from exporter.quantization.settings import Int8Settings
from exporter.quantization.tflite.clamps import clamp_limits, drop_saturating_clamps
from exporter.quantization.tflite.quantize import TfliteQuantizer
from tests.graph.onnx_models import model_of

make = helper.make_node
SIZE, SIDE = (1, 3, 16, 16), (16, 16, 3)
CONV = make("Conv", ["x", "w"], ["a"])
W = (np.eye(3)[:, :, None, None] * 4 - 1).astype(np.float32)  # from -3 to 3 on pixels: beyond every clamp
BACK = (np.eye(3)[:, :, None, None] * 0.4).astype(np.float32)
ONE, HALF, LOW, ZERO = (np.float32(value) for value in (1, 0.5, 0.3, 0))

# name: (nodes, the clamps among them that stay)
CASES = {
    "the picture's own clamp": ([CONV, make("Clip", ["a", "zero", "one"], ["y"])], ()),
    "before a convolution": ([CONV, make("Min", ["a", "half"], ["b"]), make("Conv", ["b", "v"], ["y"])], ()),
    "a picture that ends below 1": ([CONV, make("Min", ["a", "half"], ["y"])], ("MINIMUM",)),
    "at zero from above": ([CONV, make("Min", ["a", "zero"], ["b"]), make("Conv", ["b", "v"], ["y"])], ()),
    "at zero from below": ([CONV, make("Max", ["a", "zero"], ["b"]), make("Conv", ["b", "v"], ["y"])], ()),
    "the picture's lower end": ([CONV, make("Max", ["a", "zero"], ["y"])], ()),
    "after an addition": (
        [make("Add", ["x", "x"], ["a"]), make("Min", ["a", "half"], ["b"]), make("Conv", ["b", "v"], ["y"])],
        (),
    ),
    "after an operator that keeps its scale": (
        [
            CONV,
            make("MaxPool", ["a"], ["b"], kernel_shape=[3, 3], pads=[1] * 4),
            make("Min", ["b", "half"], ["c"]),
            make("Conv", ["c", "v"], ["y"]),
        ],
        ("MINIMUM",),
    ),
    "after an operator in float": (
        [
            CONV,
            make("Add", ["x", "one"], ["b"]),
            make("Div", ["a", "b"], ["c"]),
            make("Min", ["c", "half"], ["d"]),
            make("Conv", ["d", "v"], ["y"]),
        ],
        ("MINIMUM",),
    ),
    "the smaller of two pictures": (
        [CONV, make("Min", ["a", "x"], ["b"]), make("Conv", ["b", "v"], ["y"])],
        ("MINIMUM",),
    ),
    "the second goes though the first stays": (
        [
            CONV,
            make("Max", ["a", "low"], ["b"]),
            make("Conv", ["b", "v"], ["c"]),
            make("Min", ["c", "half"], ["d"]),
            make("Conv", ["d", "v"], ["y"]),
        ],
        ("MAXIMUM",),
    ),
    "above zero": (
        [CONV, make("Max", ["a", "low"], ["b"]), make("Conv", ["b", "v"], ["y"])],
        ("MAXIMUM",),
    ),
    "its source is read elsewhere": (
        [
            CONV,
            make("Min", ["a", "half"], ["b"]),
            make("Conv", ["b", "v"], ["c"]),
            make("Conv", ["a", "v"], ["d"]),
            make("Add", ["c", "d"], ["y"]),
        ],
        ("MINIMUM",),
    ),  # fmt: skip
    "joined with what is wider": (
        [
            CONV,
            make("Min", ["a", "half"], ["b"]),
            make("Conv", ["x", "w"], ["c"]),
            make("Concat", ["b", "c"], ["d"], axis=1),
            make("Conv", ["d", "u"], ["y"]),
        ],
        ("MINIMUM",),
    ),  # fmt: skip
}
CONSTANTS = {
    "w": W,
    "v": BACK,
    "u": np.concatenate([BACK, BACK], 1),
    "one": ONE,
    "half": HALF,
    "low": LOW,
    "zero": ZERO,
}


def images(count=4):
    rng = np.random.default_rng(0)
    return [rng.uniform(size=SIDE).astype(np.float32) for _ in range(count)]


def files(nodes):
    used = {name for node in nodes for name in node.input}
    constants = {name: value for name, value in CONSTANTS.items() if name in used}
    content = translate(model_of(nodes, SIZE, SIZE, **constants)).to_bytes()
    written, _ = TfliteQuantizer(content, images()).int8(Int8Settings())
    return content, written.content


def kinds(content):
    graph = TfliteGraph(content)
    return [graph.kind(operator) for operator in graph.operators]


CLAMPS = ("MINIMUM", "MAXIMUM", "RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1")


@pytest.mark.parametrize("case", CASES)
def test_with_or_without_its_operator_a_clamp_clamps(case):
    content, int8 = files(CASES[case][0])
    exact, rounded = Engine(content), Engine(int8)
    for image in images():
        wanted = exact.picture(image).clip(0, 1)  # what the picture's code can say
        assert np.abs(rounded.picture(image) - wanted).max() < 0.03, "at most a few steps of rounding"


@pytest.mark.parametrize("case", CASES)
def test_only_a_clamp_that_the_code_does_is_dropped(case):
    nodes, stay = CASES[case]
    assert {kind for kind in kinds(files(nodes)[1]) if kind in CLAMPS} == set(stay)


def graph_of(case):
    nodes, _ = CASES[case]
    used = {name for node in nodes for name in node.input}
    constants = {name: value for name, value in CONSTANTS.items() if name in used}
    return translate(model_of(nodes, SIZE, SIZE, **constants))


def test_how_many_went():
    assert drop_saturating_clamps(graph_of("above zero"), set()) == 0
    assert drop_saturating_clamps(graph_of("before a convolution"), set()) == 1
    twice = [
        CONV,
        make("Min", ["a", "half"], ["b"]),
        make("Conv", ["b", "v"], ["c"]),
        make("Min", ["c", "half"], ["d"]),
    ]
    graph = translate(model_of([*twice, make("Conv", ["d", "v"], ["y"])], SIZE, SIZE, w=W, v=BACK, half=HALF))
    assert drop_saturating_clamps(graph, set()) == 2


@pytest.mark.parametrize("end", ["inputs", "outputs"])
def test_a_clamp_beside_float_stays(end):
    graph = graph_of("before a convolution")
    clamp = next(operator for operator in graph.operators if graph.kind(operator) == "MINIMUM")
    assert drop_saturating_clamps(graph, {getattr(clamp, end)[0]}) == 0


def test_a_clamp_beside_float_leaves_the_next_one_to_go():
    clamps = [make("Min", ["a", "half"], ["b"]), make("Conv", ["b", "v"], ["c"]), make("Min", ["c", "half"], ["d"])]
    nodes = [CONV, *clamps, make("Conv", ["d", "v"], ["y"])]
    graph = translate(model_of(nodes, SIZE, SIZE, w=W, v=BACK, half=HALF))
    first, second = [operator for operator in graph.operators if graph.kind(operator) == "MINIMUM"]
    assert drop_saturating_clamps(graph, {first.outputs[0]}) == 1
    assert any(each is first for each in graph.operators) and all(each is not second for each in graph.operators)


def test_limits():
    graph = graph_of("the smaller of two pictures")
    (two,) = [operator for operator in graph.operators if graph.kind(operator) == "MINIMUM"]
    assert clamp_limits(graph, two) is None and clamp_limits(graph, graph.operators[0]) is None
    for case, limits in (("before a convolution", (-math.inf, 0.5)), ("at zero from below", (0.0, math.inf))):
        graph = graph_of(case)
        found = [clamp_limits(graph, operator) for operator in graph.operators]
        assert [(each.low, each.high) for each in found if each] == [limits]
