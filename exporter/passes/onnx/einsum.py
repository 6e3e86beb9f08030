"""Einsum written out: sums over what only one operand has, then one matrix product, batched over what all have.

Every label of "bchw,bdhw->bcd" is one of four: of the batch (in both operands and in the result), left or right (in one
operand and in the result), or summed over (in both operands only). Of more than two operands the first two are
multiplied, then their product with the next. An ellipsis stands for labels of the batch; of a label that one operand
has twice, the diagonal goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from exporter.graph.onnx_editor import OnnxGraph, attribute
from exporter.passes.onnx.writer import Writer


def write_out_einsum(graph: OnnxGraph) -> bool:
    """Replace every Einsum. Shapes must be known."""
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
    shapes = [graph.shape(name) for name in node.input]
    known = [shape for shape in shapes if shape is not None]
    if len(known) != len(shapes):
        return None
    terms, result = _spelled_out(attribute(node, "equation"), [len(shape) for shape in known])
    sizes: dict[str, int] = {}
    for term, shape in zip(terms, known, strict=True):
        for label, size in zip(term, shape, strict=True):
            sizes[label] = max(sizes.get(label, 1), size)
    write = Writer(graph, node)
    waiting = [
        _once(write, name, term, shape, sizes) for name, term, shape in zip(node.input, terms, known, strict=True)
    ]
    made = waiting.pop(0)
    if not waiting:
        made = _summed(write, made, made.only(result))
    while waiting:
        other = waiting.pop(0)
        later = result + "".join(one.labels for one in waiting)
        left = _summed(write, made, made.only(later + other.labels))
        right = _summed(write, other, other.only(later + made.labels))
        multiplied = _number_by_number if _has_one_column(left, right, later) else _product
        made = multiplied(write, left, right, later, sizes)
    _transposed(write, made, result)
    if not write.made:
        write("Identity", made.name)
    return write.finished()


def _spelled_out(equation: str, ranks: list[int]) -> tuple[list[str], str]:
    """The labels of each operand and of the result; an ellipsis becomes labels that no equation can have."""
    left, arrow, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    hidden = [
        rank - len(term.replace("...", "")) if "..." in term else 0 for term, rank in zip(terms, ranks, strict=True)
    ]
    batch = "".join(chr(0x3B1 + place) for place in range(max(hidden)))
    terms = [term.replace("...", batch[len(batch) - count :]) for term, count in zip(terms, hidden, strict=True)]
    if not arrow:
        spelled = "".join(terms)
        result = batch + "".join(sorted(label for label in set(spelled) - set(batch) if spelled.count(label) == 1))
    return terms, result.replace("...", batch)


def _once(write: Writer, name: str, labels: str, shape: tuple[int, ...], sizes: dict[str, int]) -> _Operand:
    """Each label once: the diagonal of two axes of one name, and no axis that another operand only spreads over."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            mask = np.eye(shape[first], dtype=np.float32)
            mask = mask.reshape([size if place in (first, second) else 1 for place, size in enumerate(shape)])
            name = write("ReduceSum", write("Mul", name, write.array(mask)), write.places(second), keepdims=0)
            labels, shape = labels[:second] + labels[second + 1 :], shape[:second] + shape[second + 1 :]
    spread = [place for place, label in enumerate(labels) if shape[place] != sizes[label]]
    if spread:
        name = write("Squeeze", name, write.places(*spread))
        labels = "".join(label for place, label in enumerate(labels) if place not in spread)
    return _Operand(name, labels)


def _summed(write: Writer, operand: _Operand, kept: str) -> _Operand:
    """Without the labels that nobody else has."""
    gone = [place for place, label in enumerate(operand.labels) if label not in kept]
    if not gone:
        return operand
    return _Operand(write("ReduceSum", operand.name, write.places(*gone), keepdims=0), kept)


def _has_one_column(left: _Operand, right: _Operand, result: str) -> bool:
    """Whether a product of matrices would have as many of them as there are pixels, or nothing to sum up."""
    shared = left.only(right.labels)
    batch, summed = (set(shared) & set(result), set(shared) - set(result))
    return not summed or (bool(batch) and min(len(left.labels), len(right.labels)) == len(shared))


def _number_by_number(write: Writer, left: _Operand, right: _Operand, result: str, sizes: dict[str, int]) -> _Operand:
    """The product spread over all labels, then its sum."""
    larger, other = (left, right) if len(left.labels) >= len(right.labels) else (right, left)
    labels = larger.labels + "".join(label for label in other.labels if label not in larger.labels)
    factors = []
    for operand in (larger, other):
        name = _transposed(write, operand, "".join(label for label in labels if label in operand.labels))
        if len(operand.labels) < len(labels):
            spread = (sizes[label] if label in operand.labels else 1 for label in labels)
            name = write("Reshape", name, write.places(*spread))
        factors.append(name)
    made = _Operand(write("Mul", *factors), labels)
    return _summed(write, made, made.only(result))


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
