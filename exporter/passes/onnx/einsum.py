"""Einsum written out: sums over what only one operand has, then one matrix product, batched over what all have.

Every label of "bchw,bdhw->bcd" is one of four: of the batch (in both operands and in the result), left or right (in one
operand and in the result), or summed over (in both operands only).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from exporter.graph.onnx_editor import OnnxGraph, attribute
from exporter.passes.onnx.writer import Writer


def write_out_einsum(graph: OnnxGraph) -> bool:
    """Replace every Einsum of one or two operands that repeats no label within one. Shapes must be known."""
    nodes: list[Any] = []
    modified = False
    for node in graph.nodes:
        made = _written_out(graph, node) if node.op_type == "Einsum" else None
        nodes += made or [node]
        modified |= made is not None
    if modified:
        graph.replace_nodes(nodes)
    return modified


@dataclass(frozen=True, slots=True)
class _Operand:
    name: str
    labels: str

    def only(self, kept: str) -> str:
        return "".join(label for label in self.labels if label in kept)


def _written_out(graph: OnnxGraph, node: Any) -> list[Any] | None:
    terms, _, result = attribute(node, "equation").replace(" ", "").partition("->")
    labels, sizes = terms.split(","), dict[str, int]()
    for name, term in zip(node.input, labels, strict=True):
        value = graph.constants.get(name)
        shape = graph.shape(name) if value is None else value.shape
        if shape is None or len(shape) != len(term) or len(set(term)) != len(term):
            return None
        sizes |= dict(zip(term, shape, strict=True))
    if len(labels) > 2 or not result.isalpha() or len(set(result)) != len(result) or not set(result) <= set(sizes):
        return None
    write = Writer(graph, node)
    operands = [_Operand(name, term) for name, term in zip(node.input, labels, strict=True)]
    elsewhere = [result + "".join(other.labels for other in operands if other is not one) for one in operands]
    parts = [_summed(write, one, one.only(kept)) for one, kept in zip(operands, elsewhere, strict=True)]
    made = parts[0] if len(parts) == 1 else _product(write, parts[0], parts[1], result, sizes)
    _transposed(write, made, result)
    if not write.made:
        write("Identity", made.name)
    return write.finished()


def _summed(write: Writer, operand: _Operand, kept: str) -> _Operand:
    """Without the labels that nobody else has."""
    gone = [place for place, label in enumerate(operand.labels) if label not in kept]
    if not gone:
        return operand
    return _Operand(write("ReduceSum", operand.name, write.places(*gone), keepdims=0), kept)


def _product(write: Writer, left: _Operand, right: _Operand, result: str, sizes: dict[str, int]) -> _Operand:
    shared = left.only(right.labels)
    batch, summed = left.only("".join(set(shared) & set(result))), left.only("".join(set(shared) - set(result)))
    rows, columns = (one.only("".join(set(one.labels) - set(shared))) for one in (left, right))

    def matrix(operand: _Operand, first: str, second: str) -> str:
        turned = _transposed(write, operand, batch + first + second)
        shape = (prod(sizes[label] for label in part) for part in (batch, first, second))
        return write("Reshape", turned, write.places(*shape))

    made = write("MatMul", matrix(left, rows, summed), matrix(right, summed, columns))
    labels = batch + rows + columns
    return _Operand(write("Reshape", made, write.places(*(sizes[label] for label in labels))), labels)


def _transposed(write: Writer, operand: _Operand, labels: str) -> str:
    if operand.labels == labels:
        return operand.name
    constant = write.graph.constants.get(operand.name)
    perm = [operand.labels.index(label) for label in labels]
    if constant is not None:
        return write.graph.add_constant(f"{operand.name}_turned", np.ascontiguousarray(constant.transpose(perm)))
    return write("Transpose", operand.name, perm=perm)
