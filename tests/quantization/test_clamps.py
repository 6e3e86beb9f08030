"""A clamp goes only where the code does its work: the INT8 file's values are looked at, not its scales."""

import numpy as np
import pytest
from onnx import helper

from exporter.quantization.engine import Engine
from exporter.quantization.int8_graph import write_int8
from exporter.quantization.ranges import RangeCollector, tflite_ranges
from exporter.rewrites.tflite_graph import TfliteGraph
from exporter.rewrites.translate import translate
from tests.rewrites.graphs import model_of

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
    written = write_int8(content, lambda tensors, exact: tflite_ranges(content, tensors, images(), RangeCollector()))
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
    left = {kind for kind in kinds(files(nodes)[1]) if kind in CLAMPS}
    assert left >= set(stay) if stay else not left
