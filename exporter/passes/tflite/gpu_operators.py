"""Operators that GPU engines refuse or misread, in words that all of them know; every value stays the same."""

from __future__ import annotations

from typing import Any

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


def write_out_flags(graph: TfliteGraph) -> bool:
    """A BATCH_MATMUL that transposes an operand by itself becomes a TRANSPOSE and a plain product.

    The older GpuDelegate reads no flag: it would multiply what it is given, without a word.
    """
    flagged = [op for op in graph.operators if graph.kind(op) == "BATCH_MATMUL" and any(_flags(op))]
    for product in flagged:
        for place, is_transposed in enumerate(_flags(product)):
            if is_transposed:
                product.inputs[place] = _transposed_before(graph, product, product.inputs[place])
        product.builtinOptions.adjX = product.builtinOptions.adjY = False
    return bool(flagged)


def _flags(product: Any) -> tuple[bool, bool]:
    return bool(product.builtinOptions.adjX), bool(product.builtinOptions.adjY)


def _transposed_before(graph: TfliteGraph, product: Any, source: int) -> int:
    shape, value = graph.shape(source), graph.constant(source)
    name = f"{graph.name(source)}_turned"
    if value is not None:
        return graph.add_constant(name, np.ascontiguousarray(np.swapaxes(value, -1, -2)))
    made = graph.add_tensor(name, (*shape[:-2], shape[-1], shape[-2]), graph.dtype(source))
    rank = len(shape)
    perm = graph.add_constant(f"{name}_perm", np.array([*range(rank - 2), rank - 1, rank - 2], np.int32))
    turning = graph.new_operator("TRANSPOSE", 1, [source, perm], [made], "TransposeOptions")
    graph.operators.insert(graph.operators.index(product), turning)
    return made
