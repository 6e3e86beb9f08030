"""Operators written out in simpler ones, which every engine has: powers, activations, sums of several, errors of Gauss.

The numbers are those of the operator's definition in the ONNX specification, within the rounding of float32.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from exporter.graph.onnx_editor import OnnxGraph, attribute
from exporter.passes.onnx.activations import ACTIVATIONS
from exporter.passes.onnx.borders import BORDERS
from exporter.passes.onnx.fourier import FOURIER
from exporter.passes.onnx.matrices import MATRICES
from exporter.passes.onnx.places import PLACES
from exporter.passes.onnx.recurrent import RECURRENT
from exporter.passes.onnx.sampling import SAMPLING
from exporter.passes.onnx.statistics import STATISTICS
from exporter.passes.onnx.windows import WINDOWS
from exporter.passes.onnx.writer import Rule, Writer, replace

_REDUCED = ("ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum")


def write_out_powers(graph: OnnxGraph) -> bool:
    """Pow with a small whole exponent, or ±½, as products, roots and quotients: each has an INT8 or a GPU kernel."""
    return replace(graph, {"Pow": _power})


def write_out_composites(graph: OnnxGraph) -> bool:
    """Replace every operator of `RULES`."""
    return replace(graph, RULES)


def _power(write: Writer, graph: OnnxGraph, node: Any) -> None:
    exponent, x = graph.constants.get(node.input[1]), node.input[0]
    if exponent is None or exponent.size == 0 or np.any(exponent != exponent.reshape(-1)[0]):
        return
    if exponent.ndim > len(graph.shape(x) or ()) or exponent.size > 1:
        return  # it may make the result larger
    value = float(exponent.reshape(-1)[0])
    if value in (2.0, 3.0, 4.0):
        square = write("Mul", x, x)
        if value > 2:
            write("Mul", square, x if value == 3 else square)
    elif value == 1:
        write("Identity", x)
    elif value == 0.5:
        write("Sqrt", x)
    elif value == -0.5:
        write("Div", write.number(1), write("Sqrt", x))
    elif value in (-1.0, -2.0):
        write("Div", write.number(1), x if value == -1 else write("Mul", x, x))


def _log_softmax(write: Writer, graph: OnnxGraph, node: Any) -> None:
    x, axes = node.input[0], write.places(attribute(node, "axis", -1))
    centred = write("Sub", x, write("ReduceMax", x, axes, keepdims=1))
    write("Sub", centred, write("Log", write("ReduceSum", write("Exp", centred), axes, keepdims=1)))


def _reduced(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """Sums of |x| and of x², and their root or logarithm."""
    x = node.input[0]
    if node.op_type == "ReduceL1":
        x = write("Abs", x)
    elif node.op_type != "ReduceLogSum":
        x = write("Mul", x, x)
    _summed(write, node, x)
    after = {"ReduceL2": "Sqrt", "ReduceLogSum": "Log"}.get(node.op_type)
    if after:
        write(after, write.made[-1].output[0])


def _summed(write: Writer, node: Any, terms: str) -> str:
    axes = list(node.input[1:]) or [write.places(*named) for named in [attribute(node, "axes")] if named]
    words = {word: attribute(node, word) for word in ("keepdims", "noop_with_empty_axes")
             if attribute(node, word) is not None}  # fmt: skip
    return write("ReduceSum", terms, *axes, **words)


def _log_of_exponentials(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """log Σ exp(x), by the largest x apart, so that no exponential leaves the format."""
    x, axes = node.input[0], list(node.input[1:])
    axes = axes or [write.places(*named) for named in [attribute(node, "axes")] if named]
    largest = write("ReduceMax", x, *axes, keepdims=1)
    keep = attribute(node, "keepdims", 1)
    sums = write("Log", write("ReduceSum", write("Exp", write("Sub", x, largest)), *axes, keepdims=keep))
    write("Add", sums, largest if keep else write("ReduceSum", largest, *axes, keepdims=0))


def _hard_max(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """One where the first largest number of an axis stands."""
    x, shape, axis = node.input[0], graph.shape(node.input[0]), attribute(node, "axis", -1)
    if shape is None:
        return
    axis %= len(shape)
    first = write("Cast", write("ArgMax", x, axis=axis, keepdims=1), to=1)
    places = np.arange(shape[axis], dtype=np.float32).reshape([-1 if a == axis else 1 for a in range(len(shape))])
    write("Cast", write("Equal", first, write.array(places)), to=1)


def _one_hot(write: Writer, graph: OnnxGraph, node: Any) -> None:
    depth, shape, axis = graph.constants.get(node.input[1]), graph.shape(node.input[0]), attribute(node, "axis", -1)
    if depth is None or shape is None:
        return
    count, rank = int(depth.reshape(-1)[0]), len(shape) + 1
    axis %= rank
    places = np.arange(count, dtype=np.float32).reshape([-1 if a == axis else 1 for a in range(rank)])
    index = write.reshaped(write("Cast", node.input[0], to=1), *shape[:axis], 1, *shape[axis:])
    negative = write("Cast", write("Less", index, write.number(0)), to=1)
    index = write("Add", index, write("Mul", negative, write.number(count)))
    off, on = write.part(node.input[2], 0, 0, 1), write.part(node.input[2], 0, 1, 2)
    write("Where", write("Equal", index, write.array(places)), on, off)


def _cast_like(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """What networks compute with is float32."""
    if graph.constants.get(node.input[0]) is not None and node.input[1] not in graph.constants:
        write("Cast", node.input[0], to=1)


def _last_extreme(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """The last of several equals is the first one from behind."""
    shape, axis = graph.shape(node.input[0]), attribute(node, "axis", 0)
    if shape is None or not attribute(node, "select_last_index", 0):
        return
    turned = write.part(node.input[0], axis, -1, -(2**31), -1)
    found = write(node.op_type, turned, axis=axis, keepdims=attribute(node, "keepdims", 1))
    place = write("Sub", write.number(shape[axis] - 1), write("Cast", found, to=1))
    write("Cast", place, to=7)


def _dropout(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """Nothing is dropped but in training."""
    trains = graph.constants.get(node.input[2]) if len(node.input) > 2 and node.input[2] else np.array(False)
    ratio = graph.constants.get(node.input[1]) if len(node.input) > 1 and node.input[1] else np.array(0.5)
    shape = graph.shape(node.input[0])
    if trains is None or shape is None or (bool(trains) and (ratio is None or float(ratio) != 0)):
        return
    write("Identity", node.input[0])
    if len(node.output) > 1 and node.output[1]:
        graph.constants[node.output[1]] = np.ones(shape, bool)


def _difference(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """Of a tensor from itself, as a first step of many; delegates refuse one tensor twice."""
    if len(set(node.input)) == 1:
        write("Mul", node.input[0], write.number(0))


def _triangle(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """Trilu with a constant diagonal."""
    shape = graph.shape(node.input[0])
    first = graph.constants.get(node.input[1]) if len(node.input) > 1 and node.input[1] else np.array(0)
    if shape is None or first is None:
        return
    cut = np.triu if attribute(node, "upper", 1) else np.tril
    mask = write.array(cut(np.ones(shape[-2:], bool), int(first)))
    write("Where", mask, node.input[0], write.number(0))


def _of_several(pair: str) -> Rule:
    def rule(write: Writer, graph: OnnxGraph, node: Any) -> None:
        if node.op_type == pair and len(node.input) == 2:
            return
        total = reduce(lambda one, other: write(pair, one, other), node.input)
        if node.op_type == "Mean":
            write("Mul", total, write.number(1 / len(node.input)))
        elif len(node.input) == 1:
            write("Identity", total)

    return rule


RULES: dict[str, Rule] = {
    **ACTIVATIONS,
    **MATRICES,
    **WINDOWS,
    **STATISTICS,
    **PLACES,
    **BORDERS,
    **SAMPLING,
    **FOURIER,
    **RECURRENT,
    "LogSoftmax": _log_softmax,
    "Hardmax": _hard_max,
    "OneHot": _one_hot,
    "CastLike": _cast_like,
    **dict.fromkeys(_REDUCED, _reduced),
    "ReduceLogSumExp": _log_of_exponentials,
    "ArgMax": _last_extreme,
    "ArgMin": _last_extreme,
    "Sum": _of_several("Add"),
    "Mean": _of_several("Add"),
    "Min": _of_several("Min"),
    "Max": _of_several("Max"),
    "Dropout": _dropout,
    "Trilu": _triangle,
    "Sub": _difference,
}
