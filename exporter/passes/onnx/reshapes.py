"""Sizes that a Reshape copies from its input, written as 0, become numbers where two Reshapes follow each other.

onnxsim 0.4.36 joins such a pair into the second one, and 0 then copies from the first one's input: another shape, and a
picture cut up wrongly. PyTorch writes such pairs for PixelUnshuffle where it does not know the sizes.
"""

from __future__ import annotations

import numpy as np

from exporter.graph.onnx_editor import OnnxGraph, attribute


def write_out_copied_sizes(graph: OnnxGraph) -> bool:
    """Give the second of two Reshapes the numbers it means."""
    modified = False
    for node in [node for node in graph.nodes if node.op_type == "Reshape"]:
        wanted, made = graph.constants.get(node.input[1]), graph.shape(node.output[0])
        before = graph.producer(node.input[0])
        copies = wanted is not None and not attribute(node, "allowzero", 0) and bool(np.any(wanted == 0))
        if copies and made is not None and before is not None and before.op_type == "Reshape":
            graph.set_input(node, 1, graph.add_constant(f"{node.output[0]}_shape", np.array(made, np.int64)))
            modified = True
    return modified
