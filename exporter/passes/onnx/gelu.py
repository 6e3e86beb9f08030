"""GELU as PyTorch exports it, x/2 · (1 + erf(x/√2)) in five operators, becomes one.

Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016. TFLite has a kernel for it and none for erf.
"""

from __future__ import annotations

from math import isclose, sqrt
from typing import Any

from exporter.graph.onnx_editor import OnnxGraph


def join_gelu(graph: OnnxGraph) -> bool:
    """Replace every GELU written out by a Gelu node. What only looks like one stays."""
    modified = False
    for erf in [node for node in graph.nodes if node.op_type == "Erf"]:
        found = gelu_around(graph, erf)
        if found is not None:
            from onnx import helper

            source, parts = found
            made = helper.make_node("Gelu", [source], [parts[-1].output[0]], name=erf.name)
            graph.insert_before(parts[-1], made)
            graph.remove(parts)
            modified = True
    return modified


def gelu_around(graph: OnnxGraph, erf: Any) -> tuple[str, list[Any]] | None:
    """(x, the nodes from the one that makes x/√2 to the one that makes the result)."""
    inner = graph.producer(erf.input[0])
    source = "" if inner is None else _scaled(graph, inner, 1 / sqrt(2))
    if not source or not graph.has_one_use(erf.input[0]):
        return None
    parts, tensor, plus, half, self = [inner, erf], erf.output[0], False, False, False
    while not (plus and half and self):
        users = graph.consumers(tensor)
        if len(users) != 1 or tensor in graph.outputs:
            return None
        user, other = users[0], _other(users[0], tensor)
        if user.op_type == "Add" and not plus and _is(graph, other, 1.0):
            plus = True
        elif user.op_type == "Mul" and plus and not self and other == source:
            self = True
        elif user.op_type == "Mul" and plus and not half and _is_half(graph, other, source):
            half, self = True, self or other not in graph.constants
        else:
            return None
        parts.append(user)
        tensor = user.output[0]
    return source, parts


def _is_half(graph: OnnxGraph, name: str, source: str) -> bool:
    """0.5, or the tensor x/2."""
    maker = graph.producer(name)
    return _is(graph, name, 0.5) or (maker is not None and _scaled(graph, maker, 0.5) == source)


def _scaled(graph: OnnxGraph, node: Any, factor: float) -> str:
    """The tensor that `node` multiplies by `factor`, or ""."""
    for tensor, number in (node.input, tuple(node.input)[::-1]) if len(node.input) == 2 else ():
        by = factor if node.op_type == "Mul" else 1 / factor
        if node.op_type in ("Mul", "Div") and tensor not in graph.constants and _is(graph, number, by):
            return str(tensor) if node.op_type == "Mul" or number == node.input[1] else ""
    return ""


def _other(node: Any, tensor: str) -> str:
    return next((name for name in node.input if name != tensor), "")


def _is(graph: OnnxGraph, name: str, value: float) -> bool:
    constant = graph.constants.get(name)
    return constant is not None and constant.size == 1 and isclose(float(constant.reshape(-1)[0]), value, rel_tol=1e-6)
