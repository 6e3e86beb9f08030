"""A mean pool whose size is rounded up counts what lies on the picture and its border, as PyTorch does.

ONNX Runtime divides by the whole window even where it reaches beyond the border; without `count_include_pad` it counts
right. So a border that is counted is put on before.
"""

from __future__ import annotations

from typing import Any

from exporter.graph.onnx_editor import OnnxGraph, attribute
from exporter.passes.onnx.writer import Writer, replace


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
