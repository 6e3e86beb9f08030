"""A pixel unshuffle and the convolution after it become one strided convolution: same numbers, same MACs.

PyTorch exports PixelUnshuffle as Reshape→Transpose→Reshape through rank 6, which no GPU delegate takes. Channel
c·r²+i·r+j at (y, x) is the picture's channel c at (y·r+i, x·r+j), so a k×k kernel over the unshuffled picture is a
(k·r)×(k·r) kernel over the picture itself, with r times the stride and r times the padding.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.rewrites.onnx_graph import Array, OnnxGraph, attribute, set_attribute


def use_strided_convolutions(graph: OnnxGraph) -> int:
    """Rewrite every PixelUnshuffle; returns how many there were. Where no convolution follows, one that only moves
    numbers is put in."""
    found = 0
    for transpose in [node for node in graph.nodes if node.op_type == "Transpose"]:
        matched = _pixel_unshuffle(graph, transpose)
        if matched is None:
            continue
        source, last, channels, block = matched
        unshuffled = last.output[0]
        for user in graph.consumers(unshuffled):
            if _is_plain_convolution(graph, user, unshuffled):
                _merge(graph, user, source, channels, block)
        if graph.consumers(unshuffled) or unshuffled in graph.outputs:
            graph.insert_before(last, _moving_convolution(graph, source, unshuffled, channels, block))
        graph.remove([last])
        found += 1
    return found


def _pixel_unshuffle(graph: OnnxGraph, transpose: Any) -> tuple[str, Any, int, int] | None:
    """(source tensor, last Reshape, channels, block) of a Reshape→Transpose→Reshape that is PixelUnshuffle."""
    if attribute(transpose, "perm") != [0, 1, 3, 5, 2, 4]:
        return None
    first = graph.producer(transpose.input[0])
    users = graph.consumers(transpose.output[0])
    if first is None or first.op_type != "Reshape":
        return None
    split = graph.constants.get(first.input[1])
    if len(users) != 1 or users[0].op_type != "Reshape" or split is None or len(split) != 6:
        return None
    channels, block = int(split[1]), int(split[3])
    last = graph.constants.get(users[0].input[1])
    if channels < 1 or block != int(split[5]) or last is None or len(last) != 4:
        return None
    return first.input[0], users[0], channels, block


def _is_plain_convolution(graph: OnnxGraph, node: Any, tensor: str) -> bool:
    return (
        node.op_type == "Conv"
        and node.input[0] == tensor
        and node.input[1] in graph.constants
        and attribute(node, "group", 1) == 1
        and attribute(node, "dilations", [1, 1]) == [1, 1]
        and attribute(node, "auto_pad", "NOTSET") == "NOTSET"
    )


def _merge(graph: OnnxGraph, node: Any, source: str, channels: int, block: int) -> None:
    weight = _spread(graph.constants[node.input[1]], channels, block)
    node.input[0] = source
    node.input[1] = graph.add_constant(f"{node.input[1]}_over_pixels", weight)
    set_attribute(node, "kernel_shape", list(weight.shape[2:]))
    set_attribute(node, "strides", [step * block for step in attribute(node, "strides", [1, 1])])
    set_attribute(node, "pads", [pad * block for pad in attribute(node, "pads", [0, 0, 0, 0])])


def _spread(weight: Array, channels: int, block: int) -> Array:
    """(O, C·r², k, l) over the unshuffled picture to (O, C, k·r, l·r) over the picture."""
    outputs, _, rows, columns = weight.shape
    split = weight.reshape(outputs, channels, block, block, rows, columns)
    return split.transpose(0, 1, 4, 2, 5, 3).reshape(outputs, channels, rows * block, columns * block)


def _moving_convolution(graph: OnnxGraph, source: str, target: str, channels: int, block: int) -> Any:
    from onnx import helper

    count = channels * block**2
    weight = _spread(np.eye(count, dtype=np.float32)[:, :, None, None], channels, block)
    name = graph.add_constant(f"{target}_unshuffle", weight)
    return helper.make_node(
        "Conv",
        [source, name],
        [target],
        name=f"{target}_unshuffle",
        kernel_shape=[block, block],
        strides=[block, block],
    )
