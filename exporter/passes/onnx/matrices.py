"""Matrix products written as those TFLite has: of two matrices, neither transposed, nothing added."""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.graph.onnx_editor import OnnxGraph, attribute, set_attribute
from exporter.passes.onnx.writer import Rule, Writer


def _by_a_vector(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """A product with a vector as one with a matrix of one row or column."""
    ranks = [len(graph.shape(name) or (0, 0)) for name in node.input]
    if 1 not in ranks:
        return
    operands = [
        write("Unsqueeze", name, write.places(place)) if rank == 1 else name
        for place, (name, rank) in enumerate(zip(node.input, ranks, strict=True))
    ]
    gone = [axis for axis, rank in zip((-2, -1), ranks, strict=True) if rank == 1]
    write("Squeeze", write("MatMul", *operands), write.places(*gone))


def _general(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """Gemm: alpha·A·B + beta·C, unless A is as it is, B constant and C one number a column."""
    left, right, *summand = node.input
    weights, added = graph.constants.get(right), graph.constants.get(summand[0]) if summand and summand[0] else None
    turned = bool(attribute(node, "transA", 0))
    is_row = not summand or (added is not None and (added.ndim < 2 or added.shape[0] == 1))
    if weights is not None and is_row and not turned:
        return
    if turned:
        left = _turned(write, graph, left)
    if attribute(node, "transB", 0):
        right = _turned(write, graph, right)
    _scaled(write, write("MatMul", left, right), attribute(node, "alpha", 1.0))
    made = write.made[-1].output[0]
    if summand and summand[0]:
        write("Add", made, _scaled(write, summand[0], attribute(node, "beta", 1.0)))


def _turned(write: Writer, graph: OnnxGraph, name: str) -> str:
    value = graph.constants.get(name)
    if value is None:
        return write("Transpose", name, perm=[1, 0])
    return write.array(np.ascontiguousarray(value.T), "turned")


def _scaled(write: Writer, name: str, factor: float) -> str:
    if factor == 1:
        return name
    value = write.graph.constants.get(name)
    if value is not None:
        return write.array((value * np.float32(factor)).astype(np.float32), "scaled")
    return write("Mul", name, write.number(factor))


def fold_factors(graph: OnnxGraph) -> bool:
    """Multiply constant weights and summands of Gemm by its alpha and beta, which quantisers do not look at."""
    modified = False
    for node in [node for node in graph.nodes if node.op_type == "Gemm"]:
        for place, word in ((1, "alpha"), (2, "beta")):
            value = graph.constants.get(node.input[place]) if len(node.input) > place else None
            factor = np.float32(attribute(node, word, 1.0))
            if value is not None and factor != 1:
                scaled = (value * factor).astype(value.dtype)
                graph.set_input(node, place, graph.add_constant(f"{node.input[place]}_{word}", scaled))
                set_attribute(node, word, None)
                modified = True
    return modified


MATRICES: dict[str, Rule] = {"MatMul": _by_a_vector, "Gemm": _general}
