"""Clamps to 0..1 and -1..1 as the two operators they consist of, for numbers without a kernel for both at once."""

from __future__ import annotations

import numpy as np

from exporter.graph.tflite_editor import TfliteGraph


def split_clamps(graph: TfliteGraph) -> bool:
    """RELU_0_TO_1 becomes RELU and MINIMUM, RELU_N1_TO_1 MAXIMUM and MINIMUM."""
    modified = False
    for operator in list(graph.operators):
        kind = graph.kind(operator)
        if kind not in ("RELU_0_TO_1", "RELU_N1_TO_1"):
            continue
        (source,), (target,) = operator.inputs, operator.outputs
        between = graph.add_tensor(f"{graph.name(target)}_below", graph.shape(target), graph.dtype(target))
        if kind == "RELU_0_TO_1":
            first = graph.new_operator("RELU", 1, [source], [between])
        else:
            lowest = graph.add_constant("minus_one", np.array([-1], np.float32))
            first = graph.new_operator("MAXIMUM", 1, [source, lowest], [between], "MaximumMinimumOptions")
        highest = graph.add_constant("one", np.array([1], np.float32))
        second = graph.new_operator("MINIMUM", 1, [between, highest], [target], "MaximumMinimumOptions")
        place = graph.operators.index(operator)
        graph.operators[place : place + 1] = [first, second]
        modified = True
    return modified
