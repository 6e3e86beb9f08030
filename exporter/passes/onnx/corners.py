"""A resize between corners is told by its sizes.

PyTorch and ONNX Runtime put the corners of the new picture on those of the old; the specification, where a scale says
0.7 × 8 = 5.6 rows, on a place between the last two.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.graph.onnx_editor import OnnxGraph, attribute


def name_sizes_of_corners(graph: OnnxGraph) -> bool:
    """Replace scales by sizes where the two say different things."""
    modified = False
    for node in graph.nodes:
        if node.op_type == "Resize" and attribute(node, "coordinate_transformation_mode") == "align_corners":
            modified |= _named(graph, node)
    return modified


def _named(graph: OnnxGraph, node: Any) -> bool:
    scales = graph.constants.get(node.input[2]) if len(node.input) == 3 else None
    before, after = graph.shape(node.input[0]), graph.shape(node.output[0])
    if scales is None or before is None or after is None or len(scales) != len(before):
        return False
    if np.allclose(scales * np.array(before), after, atol=1e-4):
        return False
    sizes = graph.add_constant(f"{node.output[0]}_sizes", np.array(after, np.int64))
    graph.set_inputs(node, [*node.input[:2], "", sizes])
    return True
