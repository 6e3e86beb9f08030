"""Heavy weights are not there while onnxsim works, and afterwards nothing shows that they were not."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxsim
import pytest
from onnx.helper import make_node

from exporter.passes.onnx.weights_aside import HEAVY_BYTES, lay_aside, put_back
from tests.graph.onnx_models import kinds, model_of, normal

W, V = normal(8, 8, 5, 5, seed=1), normal(8, 8, 5, 5, seed=2)
ROUND = {"kernel_shape": [5, 5], "pads": [2, 2, 2, 2]}
NORM = {f"n{i}": np.abs(normal(8, seed=i)) for i in range(4)}


def _model(*middle: Any, **constants: np.ndarray) -> Any:
    nodes = [make_node("Conv", ["x", "w"], ["a"], "a", **ROUND), *middle]
    return model_of(nodes, (1, 8, 6, 6), (1, 8, 6, 6), w=W, **constants)


MODELS = {
    "bias": _model(make_node("Add", ["a", "b"], ["y"], "y"), b=normal(1, 8, 1, 1)),
    "twice the same numbers": _model(make_node("Conv", ["a", "v"], ["y"], "y", **ROUND), v=W),
    "others": _model(make_node("Conv", ["a", "v"], ["y"], "y", **ROUND), v=V),
    "norm": _model(make_node("BatchNormalization", ["a", *NORM], ["y"], "y"), **NORM),
    "read elsewhere": _model(
        make_node("Conv", ["a", "v"], ["c"], "c", **ROUND), make_node("ReduceSum", ["v", "axes"], ["s"], "s"),
        make_node("Add", ["c", "s"], ["y"], "y"), v=V, axes=np.array([0, 1, 2, 3]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_the_file_is_the_same(name):
    model = MODELS[name]
    whole, _ = onnxsim.simplify(model, check_n=0)
    light, aside = lay_aside(model)
    made, _ = onnxsim.simplify(light, check_n=0)
    put_back(made, aside, model)
    used = {tensor for node in made.graph.node for tensor in node.input}
    stored = [tensor for tensor in made.graph.initializer if tensor.name in used]
    del made.graph.initializer[:]
    made.graph.initializer.extend(stored)
    assert made.SerializeToString(deterministic=True) == whole.SerializeToString(deterministic=True)


def test_what_is_heavy_is_aside_and_what_is_folded_is_not():
    light, aside = lay_aside(MODELS["others"])
    assert set(aside) == {"w", "v"} and len(light.SerializeToString()) < HEAVY_BYTES < W.nbytes
    assert not lay_aside(MODELS["norm"])[1] and not lay_aside(MODELS["twice the same numbers"])[1]
    assert kinds(onnxsim.simplify(MODELS["norm"], check_n=0)[0]) == ["Conv"]
    onnx.checker.check_model(light)
