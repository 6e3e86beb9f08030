"""Lengths of long vectors, such as whole planes, by the mean of squares instead of their sum.

√Σx² = √N · √(Σx²/N): the same number, but a sum over 512 × 512 pixels leaves half precision, silently or as infinity,
where a mean stays as large as its terms. Restormer's channel attention divides planes by their lengths. Its division
also reads the length without repeating it over the plane first, which leaves no operator that a converter would join
to L2_NORMALIZATION: GPU delegates refuse that.
"""

from __future__ import annotations

from math import prod, sqrt
from typing import Any

import numpy as np

from exporter.graph.onnx_editor import OnnxGraph, attribute


def take_lengths_by_means(graph: OnnxGraph) -> bool:
    """Rewrite every ReduceL2 and every root of a sum of squares. Shapes must be known."""
    modified = False
    for node in [node for node in graph.nodes if node.op_type in ("ReduceL2", "Sqrt")]:
        found = _plain_length(graph, node) if node.op_type == "ReduceL2" else _root_of_sum(graph, node)
        if found is not None:
            source, reduced = found
            _take(graph, node, source, reduced)
            modified = True
    for node in [node for node in graph.nodes if node.op_type == "Expand"]:
        modified |= _read_unexpanded(graph, node)
    return modified


def _plain_length(graph: OnnxGraph, node: Any) -> tuple[str, Any] | None:
    return (node.input[0], node) if _terms(graph, node) else None


def _root_of_sum(graph: OnnxGraph, root: Any) -> tuple[str, Any] | None:
    """(x, the node that sums) of √ΣX² written with a product or a power."""
    reduced = graph.producer(root.input[0])
    if reduced is None or not graph.has_one_use(root.input[0]) or not _terms(graph, reduced):
        return None
    if reduced.op_type == "ReduceSumSquare":
        return reduced.input[0], reduced
    square = graph.producer(reduced.input[0]) if reduced.op_type == "ReduceSum" else None
    if square is None or not square.input:
        return None
    power = graph.constants.get(square.input[-1])
    by_power = square.op_type == "Pow" and power is not None and power.size == 1 and float(power.reshape(-1)[0]) == 2
    by_product = square.op_type == "Mul" and square.input[0] == square.input[1]
    return (square.input[0], reduced) if by_power or by_product else None


def _terms(graph: OnnxGraph, node: Any) -> int:
    """How many numbers each result of a reduction is made of; 0 when it is not known."""
    before, after = graph.shape(node.input[0]), graph.shape(node.output[0])
    return prod(before) // prod(after) if before and after and "Reduce" in node.op_type else 0


def _take(graph: OnnxGraph, node: Any, source: str, reduced: Any) -> None:
    """Put x·x, its mean, the root and the factor √N in place of `node`."""
    from onnx import helper

    y, terms = node.output[0], _terms(graph, reduced)
    factor = graph.add_constant(f"{y}_root_of_{terms}", np.array(sqrt(terms), np.float32))
    axes = list(reduced.input[1:2])
    keep = {"keepdims": attribute(reduced, "keepdims", 1)}
    if not axes and attribute(reduced, "axes") is not None:
        axes = [graph.add_constant(f"{y}_axes", np.array(attribute(reduced, "axes"), np.int64))]
    steps = (
        helper.make_node("Mul", [source, source], [f"{y}_square"], name=f"{y}_square"),
        helper.make_node("ReduceMean", [f"{y}_square", *axes], [f"{y}_mean"], name=f"{y}_mean", **keep),
        helper.make_node("Sqrt", [f"{y}_mean"], [f"{y}_root"], name=f"{y}_root"),
        helper.make_node("Mul", [f"{y}_root", factor], [y], name=y),
    )
    for step in steps:
        graph.insert_before(node, step)
    graph.remove([node])


def _read_unexpanded(graph: OnnxGraph, expand: Any) -> bool:
    """Where all that reads an expanded tensor is a division by it, the division repeats it itself."""
    users = graph.consumers(expand.output[0])
    whole = graph.shape(expand.output[0])
    divides = all(
        user.op_type == "Div" and user.input[1] == expand.output[0] != user.input[0]
        and graph.shape(user.input[0]) == whole
        for user in users
    )  # fmt: skip
    if not users or not divides or whole is None or expand.output[0] in graph.outputs:
        return False
    for user in users:
        graph.set_input(user, 1, expand.input[0])
    graph.remove([expand])
    return True
