"""Operators written out in simpler ones, which every engine has: powers, activations, sums of several, errors of Gauss.

The numbers are those of the operator's definition in the ONNX specification, within the rounding of float32.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from exporter.graph.onnx_editor import OnnxGraph, attribute
from exporter.passes.onnx.gelu import gelu_around
from exporter.passes.onnx.writer import Writer

# erf(x) ≈ 1 - (a1·t + … + a5·t⁵)·exp(-x²) for x ≥ 0, t = 1/(1 + p·x); off by 1.5e-7 at most.
# Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26.
_ERF_P, _ERF_A = 0.3275911, (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
_REDUCED = {"ReduceL1": "Abs", "ReduceSumSquare": "Square", "ReduceL2": "Square"}


Rule = Callable[[Writer, OnnxGraph, Any], None]


def write_out_powers(graph: OnnxGraph) -> bool:
    """Pow with a small whole exponent, or ±½, as products, roots and quotients: each has an INT8 or a GPU kernel."""
    return _replace(graph, {"Pow": _power})


def write_out_composites(graph: OnnxGraph) -> bool:
    """Replace every operator of `RULES`."""
    return _replace(graph, RULES)


def _replace(graph: OnnxGraph, rules: dict[str, Rule]) -> bool:
    nodes: list[Any] = []
    modified = False
    for node in graph.nodes:
        rule = rules.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        writer = Writer(graph, node)
        if rule is not None:
            rule(writer, graph, node)
        nodes += writer.finished() if writer.made else [node]
        modified |= bool(writer.made)
    if modified:
        graph.replace_nodes(nodes)
    return modified


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


def _softplus(write: Writer, graph: OnnxGraph, node: Any) -> None:
    _softplus_of(write, node.input[0])


def _softplus_of(write: Writer, x: str) -> str:
    """log(1 + exp(x)), without an exp that grows beyond bounds."""
    small = write("Log", write("Add", write("Exp", write("Neg", write("Abs", x))), write.number(1)))
    return write("Add", write("Relu", x), small)


def _mish(write: Writer, graph: OnnxGraph, node: Any) -> None:
    write("Mul", node.input[0], write("Tanh", _softplus_of(write, node.input[0])))


def _softsign(write: Writer, graph: OnnxGraph, node: Any) -> None:
    x = node.input[0]
    write("Div", x, write("Add", write("Abs", x), write.number(1)))


def _exponential(write: Writer, node: Any, above: float, below: float, inside: float = 1.0) -> None:
    """above·max(x, 0) + below·(exp(min(x, 0)/inside) - 1)."""
    x = node.input[0]
    negative = write("Min", x, write.number(0))
    if inside != 1:
        negative = write("Mul", negative, write.number(1 / inside))
    curve = write("Mul", write("Sub", write("Exp", negative), write.number(1)), write.number(below))
    line = write("Relu", x)
    write("Add", line if above == 1 else write("Mul", line, write.number(above)), curve)


def _elu(write: Writer, graph: OnnxGraph, node: Any) -> None:
    alpha = attribute(node, "alpha", 1.0)
    if alpha != 1:  # TFLite has the other
        _exponential(write, node, 1.0, alpha)


def _selu(write: Writer, graph: OnnxGraph, node: Any) -> None:
    alpha, gamma = attribute(node, "alpha", 1.67326319217681884765625), attribute(node, "gamma", 1.05070102214813232)
    _exponential(write, node, gamma, gamma * alpha)


def _celu(write: Writer, graph: OnnxGraph, node: Any) -> None:
    alpha = attribute(node, "alpha", 1.0)
    _exponential(write, node, 1.0, alpha, alpha)


def _thresholded(write: Writer, graph: OnnxGraph, node: Any) -> None:
    x = node.input[0]
    write("Where", write("Greater", x, write.number(attribute(node, "alpha", 1.0))), x, write.number(0))


def _shrink(write: Writer, graph: OnnxGraph, node: Any) -> None:
    x, limit, bias = node.input[0], attribute(node, "lambd", 0.5), write.number(attribute(node, "bias", 0.0))
    high = write("Where", write("Greater", x, write.number(limit)), write("Sub", x, bias), write.number(0))
    write("Where", write("Less", x, write.number(-limit)), write("Add", x, bias), high)


def _reciprocal(write: Writer, graph: OnnxGraph, node: Any) -> None:
    write("Div", write.number(1), node.input[0])


def _erf(write: Writer, graph: OnnxGraph, node: Any) -> None:
    if gelu_around(graph, node) is not None:  # TFLite has a kernel for that
        return
    x = node.input[0]
    size = write("Abs", x)
    t = write("Div", write.number(1), write("Add", write("Mul", size, write.number(_ERF_P)), write.number(1)))
    sums = write.number(_ERF_A[-1])
    for factor in reversed(_ERF_A[:-1]):
        sums = write("Add", write("Mul", sums, t), write.number(factor))
    bell = write("Exp", write("Neg", write("Mul", size, size)))
    rest = write("Mul", write("Mul", sums, t), bell)
    write("Mul", write("Sign", x), write("Sub", write.number(1), rest))


def _log_softmax(write: Writer, graph: OnnxGraph, node: Any) -> None:
    x, axes = node.input[0], write.places(attribute(node, "axis", -1))
    centred = write("Sub", x, write("ReduceMax", x, axes, keepdims=1))
    write("Sub", centred, write("Log", write("ReduceSum", write("Exp", centred), axes, keepdims=1)))


def _reduced(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """Sums of |x| and of x², and their root."""
    x = node.input[0]
    terms = write("Abs", x) if _REDUCED[node.op_type] == "Abs" else write("Mul", x, x)
    axes = list(node.input[1:]) or [write.places(*named) for named in [attribute(node, "axes")] if named]
    write("ReduceSum", terms, *axes, keepdims=attribute(node, "keepdims", 1))
    if node.op_type == "ReduceL2":
        write("Sqrt", write.made[-1].output[0])


def _log_sum(write: Writer, graph: OnnxGraph, node: Any) -> None:
    axes = list(node.input[1:]) or [write.places(*named) for named in [attribute(node, "axes")] if named]
    write("Log", write("ReduceSum", node.input[0], *axes, keepdims=attribute(node, "keepdims", 1)))


def _global_max(write: Writer, graph: OnnxGraph, node: Any) -> None:
    rank = len(graph.shape(node.input[0]) or ())
    if rank:
        write("ReduceMax", node.input[0], write.places(*range(2, rank)), keepdims=1)


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


def _remainder(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """Of floats, with the sign of the dividend: x - y·trunc(x/y)."""
    if not attribute(node, "fmod", 0):
        return
    x, y = node.input
    quotient = write("Div", x, y)
    whole = write("Mul", write("Sign", quotient), write("Floor", write("Abs", quotient)))
    write("Sub", x, write("Mul", whole, y))


def _by_a_vector(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """A product with one constant vector, as one with a matrix of one row or column."""
    constants = [graph.constants.get(name) for name in node.input]
    vectors = [place for place, value in enumerate(constants) if value is not None and value.ndim == 1]
    if len(vectors) != 1:
        return
    (place,) = vectors
    value, operands = graph.constants[node.input[place]], list(node.input)
    operands[place] = graph.add_constant(f"{operands[place]}_matrix", value[:, None] if place else value[None])
    write("Squeeze", write("MatMul", *operands), write.places(-1 if place else -2))


def _scattered(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """An assignment to a box of constant bounds, y[:, 2:5] = z: what was there goes, the box is padded and added."""
    places, there = graph.constants.get(node.input[1]), graph.constants.get(node.input[0])
    shape = graph.shape(node.input[0]) if there is None else there.shape
    if places is None or shape is None or attribute(node, "reduction", "none") != "none":
        return
    known = places.shape[-1]
    rows = np.where(places < 0, places + np.array(shape[:known]), places).reshape(-1, known)
    low, high = rows.min(axis=0), rows.max(axis=0) + 1
    grid = np.stack(np.meshgrid(*map(np.arange, low, high), indexing="ij"), -1).reshape(-1, known)
    if grid.shape != rows.shape or not np.array_equal(grid, rows):
        return
    box = [*(high - low), *shape[known:]]
    starts, ends = [*low, *[0] * (len(shape) - known)], [*high, *shape[known:]]
    filled = [slice(a, b) for a, b in zip(starts, ends, strict=True)]
    mask = np.ones([1 if side == whole else whole for side, whole in zip(box, shape, strict=True)], np.float32)
    mask[tuple(slice(None) if mask.shape[axis] == 1 else part for axis, part in enumerate(filled))] = 0
    if there is None:
        kept = write("Mul", node.input[0], graph.add_constant(f"{node.output[0]}_mask", mask))
    else:
        kept = graph.add_constant(f"{node.output[0]}_kept", (there * mask).astype(np.float32))
    amounts = [*starts, *(whole - end for whole, end in zip(shape, ends, strict=True))]
    put = write("Pad", write("Reshape", node.input[2], write.places(*map(int, box))), write.places(*map(int, amounts)))
    write("Add", kept, put)


def _of_one_dimension(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """A convolution or pooling along a line, as one along the rows of a plane that is one row high."""
    if len(graph.shape(node.input[0]) or ()) != 3 or len([name for name in node.output if name]) > 1:
        return
    weights = []
    if node.op_type.startswith("Conv"):
        if node.input[1] not in graph.constants:
            return
        weights = [graph.add_constant(f"{node.input[1]}_plane", graph.constants[node.input[1]][:, :, None])]
    named = {found.name: attribute(node, found.name) for found in node.attribute}
    for word, filler in (("kernel_shape", 1), ("strides", 1), ("dilations", 1), ("output_padding", 0)):
        if word in named:
            named[word] = [filler, *named[word]]
    if "pads" in named:
        named["pads"] = [0, named["pads"][0], 0, named["pads"][1]]
    row = write.places(2)
    plane = write("Unsqueeze", node.input[0], row)
    write("Squeeze", write(node.op_type, plane, *weights, *node.input[2:], **named), row)


RULES: dict[str, Rule] = {
    "Softplus": _softplus,
    "Mish": _mish,
    "Softsign": _softsign,
    "Elu": _elu,
    "Selu": _selu,
    "Celu": _celu,
    "ThresholdedRelu": _thresholded,
    "Shrink": _shrink,
    "Reciprocal": _reciprocal,
    "Erf": _erf,
    "LogSoftmax": _log_softmax,
    **dict.fromkeys(_REDUCED, _reduced),
    "ReduceLogSum": _log_sum,
    "GlobalMaxPool": _global_max,
    "Sum": _of_several("Add"),
    "Mean": _of_several("Add"),
    "Min": _of_several("Min"),
    "Max": _of_several("Max"),
    "Mod": _remainder,
    "MatMul": _by_a_vector,
    "ScatterND": _scattered,
    **dict.fromkeys(("Conv", "ConvTranspose", "MaxPool", "AveragePool"), _of_one_dimension),
}
