"""Operators number by number, comparisons and extremes: the numbers are ONNX Runtime's, and the GPU has them all."""

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.convert.test_arrays import SIZE, converted, ints, operators
from tests.graph.onnx_models import normal

make = helper.make_node


BEFORE_ALL = -(2**63) + 1  # where PyTorch ends what is read backwards
ACTIVATIONS = [
    "Ceil",
    "Celu",
    "Cos",
    "Elu",
    "Erf",
    "Exp",
    "Floor",
    "Mish",
    "Round",
    "Selu",
    "Shrink",
    "Sign",
    "Sin",
    "Softplus",
    "Softsign",
    "ThresholdedRelu",
]


def scalar(value):
    return np.array(value, np.float32)


def masked(*nodes):
    """`nodes` give a mask `m` of x; y is x where it is true."""
    return [*nodes, make("Cast", ["m"], ["f"], to=onnx.TensorProto.FLOAT), make("Mul", ["x", "f"], ["y"])]


def safe(kind, **attributes):
    """`kind` of |x| + 1."""
    return [make("Abs", ["x"], ["a"]), make("Add", ["a", "one"], ["b"]), make(kind, ["b"], ["y"], **attributes)]


def box(*bounds: tuple[int, int, int]) -> dict[str, np.ndarray]:
    """(axis, from, to) of each: what Slice and ScatterND want to know."""
    sides = [(0, size) for size in SIZE]
    for axis, start, end in bounds:
        sides[axis] = (start, end)
    places = np.stack(np.meshgrid(*(np.arange(*side) for side in sides), indexing="ij"), -1)
    axes, starts, ends = zip(*bounds, strict=True)
    return {"i": places.astype(np.int64), "a": ints(*axes), "b": ints(*starts), "e": ints(*ends)}


CASES = {
    **{kind: ([make(kind, ["x"], ["y"])], SIZE, {}) for kind in ACTIVATIONS},
    "Elu of another slope": ([make("Elu", ["x"], ["y"], alpha=0.3)], SIZE, {}),
    "Celu of another slope": ([make("Celu", ["x"], ["y"], alpha=2.5)], SIZE, {}),
    "soft shrinkage": ([make("Shrink", ["x"], ["y"], lambd=0.1, bias=0.1)], SIZE, {}),
    "Log": (safe("Log"), SIZE, {"one": scalar(1)}),
    "Reciprocal": (safe("Reciprocal"), SIZE, {"one": scalar(1)}),
    **{f"to the power of {exponent}": ([make("Pow", ["x", "e"], ["y"])], SIZE, {"e": scalar(exponent)})
       for exponent in (0, 1, 2, 3, 4, 5)},
    **{f"|x| + 1 to the power of {exponent}":
       ([*safe("Identity")[:-1], make("Pow", ["b", "e"], ["y"])], SIZE, {"one": scalar(1), "e": scalar(exponent)})
       for exponent in (-2, -1, -0.5, 0.45, 0.5, 1 / 2.2)},
    "powers of channels": (
        [*safe("Identity")[:-1], make("Pow", ["b", "e"], ["y"])], SIZE,
        {"one": scalar(1), "e": np.linspace(0.5, 2, 4, dtype=np.float32).reshape(4, 1, 1)},
    ),
    "a power of a power": (
        [*safe("Identity")[:-1], make("Sigmoid", ["x"], ["e"]), make("Pow", ["b", "e"], ["y"])],
        SIZE, {"one": scalar(1)},
    ),
    "remainder": ([make("Mod", ["x", "d"], ["y"], fmod=1)], SIZE, {"d": scalar(0.7)}),
    "the least of three": ([make("Neg", ["x"], ["n"]), make("Min", ["x", "n", "c"], ["y"])], SIZE, {"c": scalar(-0.2)}),
    "the most of one": ([make("Max", ["x"], ["y"])], SIZE, {}),
    "sum of three": ([make("Sum", ["x", "x", "c"], ["y"])], SIZE, {"c": normal(4, 1, 1)}),
    "mean of three": ([make("Mean", ["x", "x", "c"], ["y"])], SIZE, {"c": normal(4, 1, 1)}),
    **{kind: (masked(make(kind, ["x", "c"], ["m"])), SIZE, {"c": normal(4, 1, 1)})
       for kind in ("Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal")},
    **{f"two masks, {kind}": (
        masked(make("Greater", ["x", "c"], ["p"]), make("Less", ["x", "d"], ["q"]), make(kind, ["p", "q"], ["m"])),
        SIZE, {"c": scalar(-0.5), "d": scalar(0.5)},
    ) for kind in ("And", "Or", "Xor")},
    "not greater": (masked(make("Greater", ["x", "c"], ["p"]), make("Not", ["p"], ["m"])), SIZE, {"c": scalar(0)}),
    "no number": (masked(make("IsNaN", ["x"], ["p"]), make("Not", ["p"], ["m"])), SIZE, {}),
    "where": (
        [make("Greater", ["x", "c"], ["m"]), make("Mul", ["x", "t"], ["s"]), make("Where", ["m", "x", "s"], ["y"])],
        SIZE, {"c": scalar(0), "t": scalar(0.1)},
    ),
    "where, filled with infinity's neighbour": (
        [make("Greater", ["x", "c"], ["m"]), make("Where", ["m", "x", "t"], ["w"]),
         make("Softmax", ["w"], ["y"], axis=1)],
        SIZE, {"c": scalar(0), "t": scalar(-1e30)},
    ),
    "truth of a number": (
        masked(make("Relu", ["x"], ["r"]), make("Cast", ["r"], ["m"], to=onnx.TensorProto.BOOL)), SIZE, {}
    ),
    "whole numbers and back": (
        [make("Mul", ["x", "t"], ["h"]), make("Cast", ["h"], ["i"], to=onnx.TensorProto.INT64),
         make("Cast", ["i"], ["y"], to=onnx.TensorProto.FLOAT)], SIZE, {"t": scalar(10)},
    ),
    **{f"{kind} over {axes}, keepdims {keep}": (
        [make(kind, ["x", "a"], ["r"], keepdims=keep), make("Reshape", ["r", "s"], ["y"])],
        (1, *[1 if place in axes else size for place, size in enumerate(SIZE)][1:]),
        {"a": ints(*axes), "s": ints(1, *[1 if place in axes else size for place, size in enumerate(SIZE)][1:])},
    ) for kind in ("ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare")
      for axes, keep in (((1,), 1), ((2, 3), 0), ((3,), 1))},
    "the largest of each plane": ([make("GlobalMaxPool", ["x"], ["y"])], (1, 4, 1, 1), {}),
    "logarithm of softmax": ([make("LogSoftmax", ["x"], ["y"], axis=1)], SIZE, {}),
    **{f"{kind}, keepdims {keep}": (
        [make(kind, ["x"], ["i"], axis=1, keepdims=keep), make("Reshape", ["i", "s"], ["r"]),
         make("Cast", ["r"], ["f"], to=onnx.TensorProto.FLOAT), make("Mul", ["x", "f"], ["y"])],
        SIZE, {"s": ints(1, 1, 8, 12)},
    ) for kind in ("ArgMax", "ArgMin") for keep in (0, 1)},
    **{f"turned round along {axes}": (
        [make("Slice", ["x", "b", "e", "a", "s"], ["y"])], SIZE,
        {"b": ints(*[-1] * len(axes)), "e": ints(*[BEFORE_ALL] * len(axes)), "a": ints(*axes),
         "s": ints(*[-1] * len(axes))},
    ) for axes in ((3,), (2,), (2, 3), (1,))},
    "every second row from below, some columns": (
        [make("Slice", ["x", "b", "e", "a", "s"], ["y"])], (1, 4, 3, 5),
        {"b": ints(6, 2), "e": ints(0, 7), "a": ints(2, 3), "s": ints(-2, 1)},
    ),
    "the smallest three channels": (
        [make("TopK", ["x", "k"], ["y", "i"], axis=1, largest=0)], (1, 3, 8, 12), {"k": ints(3)},
    ),
    "the largest three channels": ([make("TopK", ["x", "k"], ["y", "i"], axis=1)], (1, 3, 8, 12), {"k": ints(3)}),
    "running sums": ([make("CumSum", ["x", "a"], ["y"])], SIZE, {"a": np.array(-1)}),
    "running sums from behind": ([make("CumSum", ["x", "a"], ["y"], reverse=1, exclusive=1)], SIZE, {"a": np.array(1)}),
    "no infinity": (
        masked(make("Div", ["x", "z"], ["q"]), make("IsInf", ["q"], ["p"]), make("Not", ["p"], ["m"])), SIZE,
        {"z": np.array([0, 1, 0, 2], np.float32).reshape(4, 1, 1)},
    ),
    **{f"assigned to {name}": (
        [make("Slice", ["x", "b", "e", "a"], ["s"]), make("Tanh", ["s"], ["t"]),
         make("ScatterND", ["x", "i", "t"], ["y"])], SIZE, {**box(*part)},
    ) for name, part in {"channels": ((1, 1, 3),), "rows and columns": ((2, 0, 5), (3, 4, 12)),
                         "a box": ((1, 2, 4), (2, 3, 8), (3, 0, 2))}.items()},
    "places in two axes": (
        [make("Gather", ["x", "i"], ["g"], axis=1), make("Reshape", ["g", "s"], ["y"])], (1, 6, 8, 12),
        {"i": ints([0, 3, 2], [1, 1, -1]), "s": ints(1, 6, 8, 12)},
    ),
    **{f"resized by {scale}, {mode}, {place}": (
        [make("Resize", ["x", "", "f"], ["y"], mode=mode, coordinate_transformation_mode=place,
              nearest_mode="floor")],
        (1, 4, int(8 * scale), int(12 * scale)), {"f": np.array([1, 1, scale, scale], np.float32)},
    ) for scale in (0.7, 1.3, 0.5, 2.0)
      for mode, place in (("linear", "half_pixel"), ("nearest", "asymmetric"))},
    **{f"resized to {size}, corners on corners": (
        [make("Resize", ["x", "", "", "f"], ["y"], mode="linear", coordinate_transformation_mode="align_corners")],
        (1, 4, *size), {"f": ints(1, 4, *size)},
    ) for size in ((5, 8), (10, 15), (16, 24), (1, 1))},
    "tiles": ([make("Tile", ["x", "r"], ["y"])], (1, 8, 8, 24), {"r": ints(1, 2, 1, 2)}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_numbers(case):
    nodes, target, constants = CASES[case]
    converted(nodes, target=target, **constants)


def test_small_powers_are_products():
    graph = converted([make("Pow", ["x", "e"], ["y"])], e=scalar(2))
    assert operators(graph) == ["MUL"]


def test_one_place_and_neighbours_are_slices():
    """The GPU has no GATHER of one place alone."""
    one = [make("Gather", ["x", "i"], ["p"], axis=1), make("Unsqueeze", ["p", "a"], ["y"])]
    assert "GATHER" not in operators(converted(one, target=(1, 1, 8, 12), i=np.array(-2), a=ints(1)))
    some = [make("Gather", ["x", "i"], ["y"], axis=3)]
    assert operators(converted(some, target=(1, 4, 8, 3), i=ints(4, 5, 6))) == ["SLICE"]
