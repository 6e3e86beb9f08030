"""Mean shifts: the same pixels, borders included, with one convolution or two less."""

from copy import deepcopy

import numpy as np
import pytest
from onnx import helper

from exporter.graph.onnx_editor import OnnxGraph
from exporter.passes.onnx.affine import fold_affine
from tests.graph.onnx_models import computed, kinds, model_of, normal

make = helper.make_node
SIZE = (1, 3, 9, 13)
MEAN, SPREAD = np.array([0.45, 0.44, 0.4], np.float32), np.array([0.2, 1.0, 0.5], np.float32)
SHIFTS = {
    "eye": np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1),
    "spread": np.diag(1 / SPREAD).reshape(3, 3, 1, 1).astype(np.float32),
}


def folded(nodes, size=SIZE, **constants):
    model = model_of(nodes, SIZE, size, **constants)
    graph = OnnxGraph(deepcopy(model))
    modified = fold_affine(graph)
    x = 0.5 + normal(*SIZE, seed=3) * 0.3
    made = graph.commit()
    expected = computed(model, x)
    assert np.abs(computed(made, x) - expected).max() < 2e-6 * np.abs(expected).max()
    return kinds(made), modified


@pytest.mark.parametrize("kernel", SHIFTS)
def test_a_mean_shift_before_a_padded_convolution_stays_an_addition(kernel):
    """x + t, then zeros around it: in the bias, t would reach the border as well."""
    nodes = [make("Conv", ["x", "m", "t"], ["c"]), make("Conv", ["c", "w", "b"], ["y"], pads=[1] * 4)]
    constants = {"m": SHIFTS[kernel], "t": -MEAN, "w": normal(3, 3, 3, 3), "b": normal(3)}
    assert folded(nodes, **constants) == (["Add", "Conv"], True)
    naive = make("Conv", ["x", "wm", "bt"], ["y"], pads=[1] * 4)
    weights = np.einsum("omkl,mi->oikl", constants["w"], constants["m"][:, :, 0, 0])
    bias = constants["b"] + constants["w"].sum((2, 3)) @ constants["t"]
    x = 0.5 + normal(*SIZE, seed=3) * 0.3
    exact = computed(model_of(nodes, SIZE, SIZE, **constants), x)
    difference = np.abs(computed(model_of([naive], SIZE, SIZE, wm=weights, bt=bias), x) - exact)
    assert difference[:, :, 1:-1, 1:-1].max() < 1e-5 < 0.1 < difference.max()


@pytest.mark.parametrize("kernel", SHIFTS)
def test_a_mean_shift_after_a_convolution_goes_into_it(kernel):
    nodes = [make("Conv", ["x", "w", "b"], ["c"], pads=[1] * 4), make("Conv", ["c", "m", "t"], ["y"])]
    constants = {"m": SHIFTS[kernel], "t": MEAN, "w": normal(3, 3, 3, 3), "b": normal(3)}
    assert folded(nodes, **constants) == (["Conv"], True)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("Add", MEAN.reshape(3, 1, 1)),
        ("Sub", MEAN.reshape(1, 3, 1, 1)),
        ("Mul", np.float32(0.1)),
        ("Div", SPREAD.reshape(1, 3, 1, 1)),
    ],
)
def test_arithmetic_with_constants_after_a_convolution_goes_into_it(kind, value):
    nodes = [make("Conv", ["x", "w"], ["c"], pads=[1] * 4), make(kind, ["c", "k"], ["y"])]
    assert folded(nodes, w=normal(3, 3, 3, 3), k=value) == (["Conv"], True)


@pytest.mark.parametrize(
    "nodes",
    [
        [make("Conv", ["x", "w"], ["c"], pads=[1] * 4), make("Sub", ["k", "c"], ["y"])],
        [make("Conv", ["x", "w"], ["c"], pads=[1] * 4), make("Add", ["c", "row"], ["y"])],
        [make("Add", ["x", "k"], ["c"]), make("Conv", ["c", "w"], ["y"], pads=[1] * 4)],
        [
            make("Conv", ["x", "w"], ["c"], pads=[1] * 4),
            make("Add", ["c", "k"], ["d"]),
            make("Mul", ["c", "d"], ["y"]),
        ],
        [make("Conv", ["x", "mixing"], ["c"]), make("Relu", ["c"], ["y"])],
        [make("Conv", ["x", "eye"], ["c"]), make("Relu", ["c"], ["y"])],
    ],
    ids=["reversed", "one number a column", "before", "read twice", "mixes colours", "no convolution follows"],
)
def test_what_only_looks_like_it_stays(nodes):
    every = {"w": normal(3, 3, 3, 3), "k": np.float32(0.3), "row": normal(13), "mixing": normal(3, 3, 1, 1)}
    every["eye"] = SHIFTS["spread"]
    used = {name for node in nodes for name in node.input}
    before = [node.op_type for node in nodes]
    assert folded(nodes, **{name: value for name, value in every.items() if name in used}) == (before, False)
