"""Masks before a softmax: as deep as needed, and the same probabilities."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from exporter.graph.onnx_editor import OnnxGraph
from exporter.passes.onnx.masks import bound_masks
from exporter.passes.run import with_shapes

make = helper.make_node
KEYS = 6
WINDOWED = np.where(np.eye(KEYS, dtype=bool)[:, ::-1], np.float32(-1e9), np.float32(0))
CAUSAL = np.triu(np.full((KEYS, KEYS), -np.inf, np.float32), 1)
SHIFTED = [
    make("Reshape", ["x", "windows"], ["w"]),
    make("Add", ["w", "mask"], ["m"]),
    make("Reshape", ["m", "rows"], ["r"]),
    make("Softmax", ["r"], ["y"], axis=-1),
]
WRITTEN = {
    "added": ([make("Add", ["mask", "x"], ["m"]), make("Softmax", ["m"], ["y"], axis=-1)], WINDOWED),
    "infinite": ([make("Add", ["x", "mask"], ["m"]), make("Softmax", ["m"], ["y"], axis=-1)], CAUSAL),
    "seen in windows": (SHIFTED, WINDOWED[None]),
    "filled in": ([make("Where", ["where", "mask", "x"], ["m"]), make("Softmax", ["m"], ["y"], axis=-1)],
                  np.array(-3.4e38, np.float32)),
}  # fmt: skip


def model_of(nodes, mask):
    constants = {
        "mask": mask,
        "where": WINDOWED < 0,
        "windows": np.array([1, 3, KEYS, KEYS]),
        "rows": np.array([3, KEYS, KEYS]),
    }
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [3, KEYS, KEYS]) for name in "xy"]
    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "masked", shapes[:1], shapes[1:], stored)
    return with_shapes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))


def probabilities(model):
    scores = 30 * np.random.default_rng(0).standard_normal((3, KEYS, KEYS)).astype(np.float32)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": scores})[0]


@pytest.mark.parametrize("written", WRITTEN)
def test_the_same_probabilities_from_numbers_that_half_precision_holds(written):
    model = model_of(*WRITTEN[written])
    expected = probabilities(model)
    graph = OnnxGraph(model)
    assert bound_masks(graph)
    used = {name for node in graph.nodes for name in node.input}
    assert (
        min(value.min() for name, value in graph.constants.items() if name in used and value.dtype == np.float32)
        == -1e4
    )
    np.testing.assert_array_equal(probabilities(graph.commit()), expected)


@pytest.mark.parametrize(
    "mask", [np.full((KEYS, KEYS), -1e9, np.float32), np.full((KEYS, 1), -1e9, np.float32), WINDOWED / 1e6]
)
def test_rows_of_nothing_else_and_masks_that_are_shallow_stay(mask):
    assert not bound_masks(OnnxGraph(model_of(WRITTEN["added"][0], mask)))
