"""A pixel unshuffle and the convolution after it become one strided convolution: same numbers, same MACs.

PyTorch exports PixelUnshuffle as Reshape→Transpose→Reshape through rank 6, which no GPU delegate takes. Channel
c·r²+i·r+j at (y, x) is the picture's channel c at (y·r+i, x·r+j), so a k×k kernel over the unshuffled picture is a
(k·r)×(k·r) kernel over the picture itself, with r times the stride and r times the padding.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.graph.onnx_editor import Array, OnnxGraph, attribute, set_attribute

_SAME_ORDER = ("Reshape", "Squeeze", "Unsqueeze")  # only the shape changes


def use_strided_convolutions(graph: OnnxGraph) -> bool:
    """Rewrite every PixelUnshuffle. Where no convolution follows, one that only moves numbers is put in."""
    modified = False
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
        modified = True
    return modified


def _pixel_unshuffle(graph: OnnxGraph, transpose: Any) -> tuple[str, Any, int, int] | None:
    """(source tensor, node that makes the result, channels, block) of a PixelUnshuffle around its Transpose.

    Where the exporter knew the sizes it wrote one Reshape on either side, else several and an axis more.
    """
    split = graph.shape(transpose.input[0])
    if attribute(transpose, "perm") != [0, 1, 3, 5, 2, 4] or split is None:
        return None
    source, last = transpose.input[0], transpose
    while len(graph.shape(source) or ()) != 4:
        before = graph.producer(source)
        if before is None or before.op_type not in _SAME_ORDER or not graph.has_one_use(source):
            return None
        source = before.input[0]
    while len(made := graph.shape(last.output[0]) or ()) != 4:
        users = graph.consumers(last.output[0])
        if not made or len(users) != 1 or users[0].op_type not in _SAME_ORDER or last.output[0] in graph.outputs:
            return None
        last = users[0]
    batch, channels, rows, block, columns, across = split
    whole, cut = (batch, channels, rows * block, columns * block), (batch, channels * block**2, rows, columns)
    fits = block == across and (graph.shape(source), graph.shape(last.output[0])) == (whole, cut)
    return (source, last, channels, block) if fits else None


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
    spread = graph.add_constant(f"{node.input[1]}_over_pixels", weight)
    graph.set_inputs(node, [source, spread, *node.input[2:]])
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
