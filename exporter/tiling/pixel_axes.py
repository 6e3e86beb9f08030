"""Which two axes of every tensor are the picture's rows and columns, followed from a graph's input on."""

from __future__ import annotations

from math import prod
from typing import Any

from exporter.artifact import picture_layout
from exporter.graph.operators import ONNX, UNKNOWN_ONNX, Reach

Axes = tuple[int, int]  # of rows and of columns, counted from the end (-1 is the last): broadcasting keeps them

WINDOWED: frozenset[Reach] = frozenset(("window", "transposed window", "resized", "block", "moved"))
_WHOLE_PLANE = "takes statistics of the whole plane"


class Unbounded(Exception):
    """Some output pixel depends on the whole picture, or is not known not to; the text says where."""


def follow_axes(graph: Any, source: str) -> dict[str, Axes]:
    """Tensor -> axes of rows and columns, for every tensor that is made from the picture `source`.

    Raises Unbounded at an operator that mixes pixels over the whole plane.
    """
    shape = graph.shape(source)
    if shape is None or len(shape) != 4:
        raise Unbounded(f"the size of {source!r} is not fixed")
    axes: dict[str, Axes] = {source: (-3, -2) if picture_layout(shape) == "NHWC" else (-2, -1)}
    for node in graph.nodes:
        operands = [name for name in node.input if name in axes]
        if operands and reach_of(node) != "none":
            made = _axes_after(node, graph, axes, operands)
            axes.update(dict.fromkeys((name for name in node.output if name), made))
    return axes


def _axes_after(node: Any, graph: Any, axes: dict[str, Axes], operands: list[str]) -> Axes:
    first = axes[operands[0]]
    reach = reach_of(node)
    if reach == "pixel" or reach in WINDOWED:
        if any(axes[name] != first for name in operands):
            raise _global(node, "lays differently turned planes over each other")
        return first
    if reach == "transposed":
        return _transposed(node, graph, operands[0], first)
    if reach == "reshaped":
        return _reshaped(node, graph, operands[0], first)
    if reach == "reduced":
        return _reduced(node, graph, operands[0], first)
    if reach == "axis":
        return _untouched(node, graph, operands[0], first)
    if reach == "matrix":
        return _multiplied(node, graph, operands, first)
    raise _global(node, _WHOLE_PLANE if reach == "plane" else "is not known to be local")


def reach_of(node: Any) -> Reach:
    return ONNX.get(node.op_type, UNKNOWN_ONNX).reach


def _global(node: Any, why: str) -> Unbounded:
    return Unbounded(f"{node.op_type} {node.name or node.output[0]!r} {why}")


def _shape(node: Any, graph: Any, tensor: str) -> tuple[int, ...]:
    shape: tuple[int, ...] | None = graph.shape(tensor)
    if shape is None:
        raise _global(node, f"makes or reads {tensor!r}, whose size is not fixed")
    return shape


def _transposed(node: Any, graph: Any, tensor: str, places: Axes) -> Axes:
    from exporter.graph.onnx_editor import attribute

    rank = len(_shape(node, graph, tensor))
    order = list(attribute(node, "perm", list(reversed(range(rank)))))
    rows, columns = (order.index(place + rank) - rank for place in places)
    return rows, columns


def _reshaped(node: Any, graph: Any, tensor: str, places: Axes) -> Axes:
    """An axis survives where as many elements lie before it as before and it is as long as before."""
    before, after = _shape(node, graph, tensor), _shape(node, graph, node.output[0])
    found = []
    for place in places:
        length, ahead = before[place], prod(before[: len(before) + place])
        kept = [i for i, size in enumerate(after) if size == length and prod(after[:i]) == ahead]
        if not kept:
            raise _global(node, "takes rows and columns apart (attention, windows)")
        found.append(kept[0] - len(after))
    return found[0], found[1]


def _reduced(node: Any, graph: Any, tensor: str, places: Axes) -> Axes:
    from exporter.graph.onnx_editor import attribute

    rank = len(_shape(node, graph, tensor))
    listed = attribute(node, "axes")
    if listed is None and len(node.input) > 1 and node.input[1] in graph.constants:
        listed = graph.constants[node.input[1]].reshape(-1).tolist()
    gone = {axis % rank - rank for axis in listed} if listed is not None else set(range(-rank, 0))
    if gone & set(places):
        raise _global(node, _WHOLE_PLANE)
    if attribute(node, "keepdims", 1):
        return places
    rows, columns = (place + sum(axis > place for axis in gone) for place in places)
    return rows, columns


def _untouched(node: Any, graph: Any, tensor: str, places: Axes) -> Axes:
    """Operators along one axis (LayerNormalization: from one axis on), which must be none of the picture's."""
    from exporter.graph.onnx_editor import attribute

    rank = len(_shape(node, graph, tensor))
    default = {"Concat": 0, "Gather": 0, "Split": 0, "ArgMax": 0, "ArgMin": 0}.get(node.op_type, -1)
    axis = attribute(node, "axis", default)
    if node.op_type == "CumSum":
        axis = int(graph.constants[node.input[1]]) if node.input[1] in graph.constants else 0
    touched = range(axis % rank, rank) if node.op_type == "LayerNormalization" else (axis % rank,)
    if {place - rank for place in touched} & set(places):
        raise _global(node, "works along rows or columns")
    if len(_shape(node, graph, node.output[0])) != rank:
        raise _global(node, "drops an axis")
    return places


def _multiplied(node: Any, graph: Any, operands: list[str], places: Axes) -> Axes:
    """A product with constants, over an axis that is none of the picture's, is a 1×1 convolution."""
    contracted = -1 if node.input[0] == operands[0] else -2
    kept = -2 if contracted == -1 else -1
    if len(operands) > 1 or contracted in places or (node.op_type == "Gemm" and kept in places):
        raise _global(node, "multiplies pixels with pixels (attention)")
    return places
