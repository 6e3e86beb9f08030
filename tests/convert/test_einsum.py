"""Einsum in matrix products: the numbers are ONNX Runtime's."""

import numpy as np
import pytest
from onnx import helper

from tests.convert.test_arrays import SIZE, converted, ints, operators
from tests.graph.onnx_models import normal

make = helper.make_node
SIDES = {"b": 1, "c": 4, "d": 4, "h": 8, "w": 12}
CONSTANTS = {"dc": (4, 4), "cd": (4, 4), "wd": (12, 4), "c": (4,), "bdhw": SIZE, "hw": (8, 12)}


@pytest.mark.parametrize(
    "equation",
    [
        "bchw,bdhw->bcd",  # channel attention
        "bchw,bdhw->bcdh",
        "bchw,bchw->bhw",
        "bchw,bchw->bchw",
        "bchw,dc->bdhw",
        "cd,bchw->bhwd",
        "bchw,wd->bchd",
        "bchw,c->bhw",
        "bchw,hw->bc",
        "bchw->bwch",
        "bchw->bc",
    ],
)
def test_equation(equation):
    terms, result = equation.split("->")
    first, *others = terms.split(",")
    nodes, constants, names = [], {}, ["x"]
    for term in others:
        if term.startswith("b") and len(term) == 4:
            nodes.append(make("Tanh", ["x"], ["t"]))
            names.append("t")
        else:
            constants["k"] = normal(*CONSTANTS[term], seed=3)
            names = ["k", "x"] if equation.startswith(f"{term},") else ["x", "k"]
    if terms.startswith("cd,"):
        constants["k"], names = normal(4, 4, seed=3), ["k", "x"]
    shape = [SIDES[label] for label in result]
    flat = (1, 1, 1, int(np.prod(shape)))
    nodes += [make("Einsum", names, ["e"], equation=equation), make("Reshape", ["e", "f"], ["y"])]
    graph = converted(nodes, target=flat, f=ints(*flat), **constants)
    assert max(len(graph.shape(index)) for index in range(len(graph.tensors))) <= 4


def test_weights_to_the_side_are_a_convolution():
    nodes = [make("Einsum", ["x", "k"], ["y"], equation="bchw,dc->bdhw")]
    assert "CONV_2D" in operators(converted(nodes, k=normal(4, 4)))
