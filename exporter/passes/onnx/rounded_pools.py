"""Pools whose size is rounded up, as PyTorch means them.

A window that would begin behind the picture is none: ONNX's shape inference counts it all the same. A mean counts what
lies on the picture and its border: ONNX Runtime divides by the whole window even where it reaches beyond, and counts
right without `count_include_pad`, so that a border which is counted is put on before.
"""

from __future__ import annotations

from typing import Any

from exporter.graph.onnx_editor import OnnxGraph, attribute, set_attribute
from exporter.passes.onnx.writer import Writer, replace


def round_by_borders(graph: OnnxGraph) -> bool:
    """Take `ceil_mode` from every pool: what its last windows lack is border that nothing counts."""
    modified = False
    for node in graph.nodes:
        counted = attribute(node, "count_include_pad", 0)
        if node.op_type in ("MaxPool", "AveragePool") and attribute(node, "ceil_mode", 0) and not counted:
            pads = _whole_windows(graph, node)
            if pads is not None:
                set_attribute(node, "ceil_mode", None)
                set_attribute(node, "pads", pads)
                modified = True
    return modified


def _whole_windows(graph: OnnxGraph, node: Any) -> list[int] | None:
    """Pads with which no window is cut off; None where a shape is not known or a border would be wider than a window,
    which engines refuse."""
    shape, kernel = graph.shape(node.input[0]), [int(n) for n in attribute(node, "kernel_shape")]
    if shape is None or attribute(node, "auto_pad", "NOTSET") != "NOTSET":
        return None
    rank = len(kernel)
    strides, gaps = ([int(n) for n in attribute(node, word) or [1] * rank] for word in ("strides", "dilations"))
    pads = [int(n) for n in attribute(node, "pads") or [0] * 2 * rank]
    for place, (size, k, stride, gap) in enumerate(zip(shape[2:], kernel, strides, gaps, strict=True)):
        before, after = pads[place], pads[place + rank]
        windows, rest = divmod(size + before + after - (k - 1) * gap - 1, stride)
        if rest and (windows + 1) * stride < size + before:
            pads[place + rank] += stride - rest
    return pads if all(pad < k for pad, k in zip(pads, kernel * 2, strict=True)) else None


def count_what_is_there(graph: OnnxGraph) -> bool:
    """Take `count_include_pad` from every rounded AveragePool."""
    return replace(graph, {"AveragePool": _counted})


def _counted(write: Writer, graph: OnnxGraph, node: Any) -> None:
    pads = [int(n) for n in attribute(node, "pads") or []]
    rounded = attribute(node, "ceil_mode", 0) and attribute(node, "count_include_pad", 0)
    if not rounded or attribute(node, "auto_pad", "NOTSET") != "NOTSET":
        return
    x, rank = node.input[0], len(attribute(node, "kernel_shape"))
    if any(pads):
        x = write("Pad", x, write.places(0, 0, *pads[:rank], 0, 0, *pads[rank:]))
    words = {found.name: attribute(node, found.name) for found in node.attribute}
    del words["count_include_pad"]
    write("AveragePool", x, **words | {"pads": [0] * 2 * rank})
