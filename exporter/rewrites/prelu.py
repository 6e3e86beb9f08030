"""PReLU in words that no converter can misread.

onnx2tf guesses which axis a slope of shape (C, 1, 1) belongs to, and guesses wrong when the height happens to equal C.
A depthwise convolution has no such doubt; `tflite_cleanup.join_prelu` puts the operator together again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.rewrites.onnx_graph import OnnxGraph


def spell_out_prelu(graph: OnnxGraph) -> int:
    """One slope for all channels becomes LeakyRelu; else relu(x) + depthwise (x - relu(x)). Returns how many. Exact."""
    from onnx import helper

    found = 0
    for node in [node for node in graph.nodes if node.op_type == "PRelu"]:
        slope = graph.constants.get(node.input[1])
        shape = graph.shape(node.output[0])
        if slope is None or shape is None or len(shape) != 4:
            continue
        if np.all(slope == slope.reshape(-1)[0]):
            alpha = float(slope.reshape(-1)[0])
            made = [helper.make_node("LeakyRelu", [node.input[0]], [node.output[0]], name=node.name, alpha=alpha)]
        elif slope.size == shape[1] and slope.ndim >= 3 and slope.shape[-3] == shape[1]:
            made = _spelled_out(graph, node, shape[1], slope.reshape(-1, 1, 1, 1))
        else:
            continue
        for one in made:
            graph.insert_before(node, one)
        graph.remove([node])
        found += 1
    return found


def _spelled_out(graph: OnnxGraph, node: Any, channels: int, slope: Any) -> list[Any]:
    from onnx import helper

    source, result, name = node.input[0], node.output[0], node.name
    positive, negative, scaled = (f"{result}_{part}" for part in ("positive", "negative", "scaled"))
    weight = graph.add_constant(f"{node.input[1]}_depthwise", slope.astype(np.float32))
    return [
        helper.make_node("Relu", [source], [positive], name=f"{name}_positive"),
        helper.make_node("Sub", [source, positive], [negative], name=f"{name}_negative"),
        helper.make_node(
            "Conv", [negative, weight], [scaled], name=f"{name}_scaled", kernel_shape=[1, 1], group=channels
        ),
        helper.make_node("Add", [positive, scaled], [result], name=f"{name}_sum"),
    ]
