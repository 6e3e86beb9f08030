"""Operators that the GPU engine of LiteRT 2.3 refuses, in words that it knows; every value stays the same."""

from __future__ import annotations

import numpy as np

from exporter.graph.tflite_editor import TfliteGraph


def split_clamps(graph: TfliteGraph) -> bool:
    """RELU_0_TO_1 becomes MINIMUM(x, 1) and RELU.

    One refused operator costs more than itself: stored half-precision weights are then left to the CPU, too.
    """
    clamps = [operator for operator in graph.operators if graph.kind(operator) == "RELU_0_TO_1"]
    for clamp in clamps:
        (source,), (target,) = clamp.inputs, clamp.outputs
        bounded = graph.add_tensor(f"{graph.name(target)}_below_1", graph.shape(target), graph.dtype(target))
        one = graph.add_constant(f"{graph.name(target)}_1", np.array(1, np.float32))
        place = graph.operators.index(clamp)
        graph.operators[place : place + 1] = [
            graph.new_operator("MINIMUM", 1, [source, one], [bounded], "MaximumMinimumOptions"),
            graph.new_operator("RELU", 1, [bounded], [target]),
        ]
    return bool(clamps)
