"""Products batched over heads, written once a head: the same numbers, and only where an axis is one of heads."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import helper, shape_inference

from exporter.graph.onnx_editor import OnnxGraph
from exporter.passes.onnx.heads import MOST_HEADS, split_heads
from tests.graph.onnx_models import computed, model_of, normal

make = helper.make_node
SIZE = (1, 32, 4, 6)


def ints(*values):
    return np.array(values, np.int64)


def attention(heads, softmax_axis=-1):
    """Of 32 channels of 24 pixels, as PyTorch writes it."""
    nodes = [
        make("Conv", ["x", "w"], ["qkv"]),
        make("Split", ["qkv"], ["q0", "k0", "v0"], axis=1, num_outputs=3),
        *[make("Reshape", [f"{name}0", "split"], [name]) for name in "qkv"],
        make("Transpose", ["q"], ["qt"], perm=[0, 1, 3, 2]),
        make("MatMul", ["qt", "k"], ["scores"]),
        make("Add", ["scores", "table"], ["biased"]),
        make("Softmax", ["biased"], ["shares"], axis=softmax_axis),
        make("MatMul", ["v", "shares"], ["o"]),
        make("Reshape", ["o", "join"], ["y"]),
    ]
    constants = {
        "w": normal(96, 32, 1, 1) / 6, "split": ints(1, heads, 32 // heads, 24), "join": ints(*SIZE),
        "table": normal(1, heads, 24, 24, seed=3),
    }  # fmt: skip
    return model_of(nodes, SIZE, SIZE, **constants)


def split(model):
    """Whether it was, the number of nodes of each kind now, and the new model."""
    graph = OnnxGraph(shape_inference.infer_shapes(model))
    done = split_heads(graph)
    made = graph.commit()
    onnx.checker.check_model(made)
    return done, Counter(node.op_type for node in made.graph.node), made


def test_every_head_by_itself():
    model, x = attention(4), normal(*SIZE, seed=7)
    expected = computed(model, x)
    done, kinds, made = split(model)
    assert done and (kinds["MatMul"], kinds["Softmax"], kinds["Add"], kinds["Concat"]) == (8, 4, 4, 1)
    assert np.abs(computed(made, x) - expected).max() < 1e-5


def test_what_is_read_whole_is_joined():
    """A softmax across heads wants them all."""
    model, x = attention(2, softmax_axis=1), normal(*SIZE, seed=7)
    expected = computed(model, x)
    done, kinds, made = split(model)
    assert done and kinds["Softmax"] == 1
    assert np.abs(computed(made, x) - expected).max() < 1e-5


@pytest.mark.parametrize("heads", [1, 2 * MOST_HEADS])
def test_one_head_or_very_many_stay(heads):
    assert not split(attention(heads))[0]


def test_an_axis_of_places_is_none_of_heads():
    """Windows lie one behind the other: their products are a batch without more ado."""
    nodes = [
        make("Conv", ["x", "w"], ["c"]),
        make("Transpose", ["c"], ["t"], perm=[0, 2, 3, 1]),
        make("Reshape", ["t", "windows"], ["q"]),
        make("Transpose", ["q"], ["k"], perm=[0, 1, 3, 2]),
        make("MatMul", ["q", "k"], ["s"]),
        make("MatMul", ["s", "q"], ["o"]),
        make("Reshape", ["o", "whole"], ["p"]),
        make("Transpose", ["p"], ["y"], perm=[0, 3, 1, 2]),
    ]
    constants = {"w": normal(32, 32, 1, 1), "windows": ints(1, 2, 12, 32), "whole": ints(1, 4, 6, 32)}
    done, kinds, _ = split(model_of(nodes, SIZE, SIZE, **constants))
    assert not done and kinds["MatMul"] == 2
