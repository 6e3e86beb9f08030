"""Pixel shuffles become the one order every engine has a kernel for: depth first (DCR).

PyTorch's channel index is c·r²+i·r+j (CRD), TensorFlow's is (i·r+j)·C+c (DCR). Permuting the channels that the
preceding convolution makes turns one into the other without touching a number.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.graph.onnx_editor import Array, OnnxGraph, attribute, set_attribute
from exporter.passes.onnx.channel_order import can_reorder, is_channel_blind, reorder


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
        if can_reorder(graph, node.input[0], order):
            graph.set_input(node, 0, reorder(graph, node.input[0], order, "depth_first"))
        else:
            graph.set_input(node, 0, _permuting_convolution(graph, node, node.input[0], order))
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
    while maker is not None and is_channel_blind(graph, maker):
        maker = graph.producer(maker.input[0])
    weights = graph.constants.get(maker.input[1]) if maker is not None and maker.op_type == "Conv" else None
    return None if weights is None else int(weights.shape[0])


def _permuting_convolution(graph: OnnxGraph, node: Any, tensor: str, order: Array) -> str:
    """A 1×1 convolution with one 1 per row: exact in any number format."""
    from onnx import helper

    target = f"{tensor}_depth_first"
    matrix = np.eye(len(order), dtype=np.float32)[order][:, :, None, None]
    weight = graph.add_constant(f"{node.name}_order", matrix)
    made = helper.make_node("Conv", [tensor, weight], [target], name=f"{node.name}_order", kernel_shape=[1, 1])
    graph.insert_before(node, made)
    return target
