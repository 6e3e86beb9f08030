"""ONNX's own node tests as networks with one picture: each floating input in turn is made of it, others are constant.

The picture is (1, H, W, C) or (1, C, H, W), as many numbers as the input has; all outputs of the operator are joined
to one row of numbers. An input of rank 2 and more comes in two orders of its axes, of rank 4 also as a picture.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LAYOUTS = ("as it is", "turned round", "a picture")


@dataclass(frozen=True, slots=True)
class Run:
    """One operator with one of its inputs dynamic, held in one order of axes."""

    name: str
    operator: str
    model: Any
    channels_last: bool
    given: np.ndarray  # in the order that the network takes
    expected: np.ndarray  # all outputs, one after the other


@cache
def node_tests() -> tuple[Any, ...]:
    """All of `onnx.backend.test` that are one operator of the standard domain."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    plain = ("", "ai.onnx")
    return tuple(case for case in cases if len(case.model.graph.node) == 1 and case.model.graph.node[0].domain in plain)


def runs(case: Any) -> Iterator[Run]:
    """Every floating input in turn, in every layout; nothing for a test without floating numbers or without outputs."""
    graph = case.model.graph
    inputs, outputs = (
        [np.asarray(v) if isinstance(v, np.generic) else v for v in values] for values in case.data_sets[0]
    )
    if not all(_is_numbers(value) for value in (*inputs, *outputs)):
        return
    for place, value in enumerate(inputs):
        if value.dtype != np.float32 or value.size == 0:
            continue
        for layout in LAYOUTS:
            if (layout == "turned round" and value.ndim < 2) or (layout == "a picture" and value.ndim != 4):
                continue
            model, given = _network(case.model, inputs, outputs, place, layout)
            expected = np.concatenate([np.asarray(made, np.float32).reshape(-1) for made in outputs])
            name = f"{case.name}, {graph.input[place].name} {layout}"
            yield Run(name, graph.node[0].op_type, model, layout != "a picture", given, expected)


def _is_numbers(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "fiub" and value.dtype.itemsize <= 8


def _network(
    model: Any, inputs: list[np.ndarray], outputs: list[np.ndarray], place: int, layout: str
) -> tuple[Any, np.ndarray]:
    graph, value, wanted = model.graph, inputs[place], model.graph.input[place].name
    constants = [numpy_helper.from_array(np.asarray(other), info.name)
                 for info, other in zip(graph.input, inputs, strict=True) if info.name != wanted]  # fmt: skip
    nodes = []
    if layout == "a picture":
        given = np.ascontiguousarray(value.transpose(0, 2, 3, 1))
        picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, value.shape)
        nodes.append(helper.make_node("Identity", ["picture"], [wanted]))
    else:
        turned = layout == "turned round"
        held = value.transpose() if turned else value
        given = np.ascontiguousarray(held).reshape(1, 1, -1, held.shape[-1] if held.ndim else 1)
        picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, given.shape)
        constants.append(numpy_helper.from_array(np.array(held.shape, np.int64), "the_shape_of_it"))
        nodes.append(helper.make_node("Reshape", ["picture", "the_shape_of_it"], ["turned" if turned else wanted]))
        if turned:
            nodes.append(helper.make_node("Transpose", ["turned"], [wanted]))
    nodes.append(graph.node[0])
    names = [name for name in graph.node[0].output if name]
    constants.append(numpy_helper.from_array(np.array([1, 1, 1, -1], np.int64), "a_row"))
    for name in names:
        nodes.append(helper.make_node("Cast", [name], [f"{name}_number"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Reshape", [f"{name}_number", "a_row"], [f"{name}_row"]))
    nodes.append(helper.make_node("Concat", [f"{name}_row" for name in names], ["made"], axis=3))
    made = helper.make_tensor_value_info("made", TensorProto.FLOAT, (1, 1, 1, sum(one.size for one in outputs)))
    network = helper.make_model(
        helper.make_graph(nodes, "graph", [picture], [made], constants), opset_imports=model.opset_import
    )
    network.ir_version = max(model.ir_version, 8)  # before, initializers had to be inputs, too
    return onnx.shape_inference.infer_shapes(network), given
