"""Pixel shuffles become the one order every engine has a kernel for: depth first (DCR).

PyTorch's channel index is c·r²+i·r+j (CRD), TensorFlow's is (i·r+j)·C+c (DCR). Permuting the channels that the
preceding convolution makes turns one into the other without touching a number.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.graph.onnx_editor import Array, OnnxGraph, attribute, set_attribute
from exporter.graph.operators import ONNX, UNKNOWN_ONNX

_PAIRWISE = {"Add", "Sub", "Mul", "Div"}


def use_depth_first(graph: OnnxGraph) -> bool:
    """Turn every DepthToSpace CRD into DCR; a remark for each place that needed an extra 1×1 convolution."""
    modified = False
    for node in [node for node in graph.nodes if node.op_type == "DepthToSpace"]:
        if attribute(node, "mode", "DCR") == "DCR":
            continue
        made = _channels(graph, node)
        if made is None:
            graph.remarks.append(f"{node.name} (DepthToSpace CRD) has no static shape and stays as it is")
            continue
        order = _depth_first_order(made, attribute(node, "blocksize"))
        if _can_permute(graph, node.input[0]):
            _permute(graph, node.input[0], order)
        else:
            node.input[0] = _permuting_convolution(graph, node, node.input[0], order)
            why = "no convolution to reorder before this pixel shuffle; a 1×1 one is put in"
            graph.remarks.append(f"{node.name}: {why}")
        set_attribute(node, "mode", "DCR")
        modified = True
    return modified


def _depth_first_order(channels: int, block: int) -> Array:
    """`order[new] = old`: which CRD channel stands at each DCR place."""
    return np.arange(channels).reshape(channels // block**2, block**2).T.reshape(-1)


def _channels(graph: OnnxGraph, node: Any) -> int | None:
    """How many go in; where sizes are not known yet, the convolution that makes them says it."""
    shape = graph.shape(node.input[0])
    if shape is not None:
        return shape[1]
    maker = graph.producer(node.input[0])
    while maker is not None and _is_channel_blind(graph, maker):
        maker = graph.producer(maker.input[0])
    weights = graph.constants.get(maker.input[1]) if maker is not None and maker.op_type == "Conv" else None
    return None if weights is None else int(weights.shape[0])


def _can_permute(graph: OnnxGraph, tensor: str) -> bool:
    """True when `tensor` feeds one node and all its channels come from convolutions we may reorder."""
    constant = graph.constants.get(tensor)
    if constant is not None:
        return constant.ndim in (0, 4) or constant.size == 1
    node = graph.producer(tensor)
    if node is None or not graph.has_one_use(tensor):
        return False
    if node.op_type == "Conv":
        known = all(name in graph.constants for name in list(node.input)[1:])
        return known and attribute(node, "group", 1) == 1
    if _is_channel_blind(graph, node):
        return _can_permute(graph, node.input[0])
    return node.op_type in _PAIRWISE and all(_can_permute(graph, name) for name in node.input)


def _is_channel_blind(graph: OnnxGraph, node: Any) -> bool:
    """Whether each number becomes another one, by the same rule in all channels: what else it reads is one number."""
    others = [graph.constants.get(name) for name in list(node.input)[1:] if name]
    one_rule = all(value is not None and value.size == 1 for value in others)
    return one_rule and ONNX.get(node.op_type, UNKNOWN_ONNX).reach == "pixel"


def _permute(graph: OnnxGraph, tensor: str, order: Array) -> None:
    node = graph.producer(tensor)
    assert node is not None
    if node.op_type == "Conv":
        for index in range(1, len(node.input)):
            value = graph.constants[node.input[index]]
            node.input[index] = graph.add_constant(f"{node.input[index]}_depth_first", value[order])
    elif _is_channel_blind(graph, node):
        _permute(graph, node.input[0], order)
    else:
        for index, name in enumerate(node.input):
            constant = graph.constants.get(name)
            if constant is None:
                _permute(graph, name, order)
            elif constant.ndim == 4 and constant.shape[1] > 1:
                node.input[index] = graph.add_constant(f"{name}_depth_first", constant[:, order])


def _permuting_convolution(graph: OnnxGraph, node: Any, tensor: str, order: Array) -> str:
    """A 1×1 convolution with one 1 per row: exact in any number format."""
    from onnx import helper

    target = f"{tensor}_depth_first"
    matrix = np.eye(len(order), dtype=np.float32)[order][:, :, None, None]
    weight = graph.add_constant(f"{node.name}_order", matrix)
    made = helper.make_node("Conv", [tensor, weight], [target], name=f"{node.name}_order", kernel_shape=[1, 1])
    graph.insert_before(node, made)
    return target
