"""Functions of one number written out in those that every engine has.

The numbers are those of the operator's definition in the ONNX specification, within the rounding of float32.
"""

from __future__ import annotations

from math import pi
from typing import Any

from exporter.graph.onnx_editor import OnnxGraph, attribute
from exporter.passes.onnx.gelu import gelu_around
from exporter.passes.onnx.writer import Rule, Writer

# erf(x) ≈ 1 - (a1·t + … + a5·t⁵)·exp(-x²) for x ≥ 0, t = 1/(1 + p·x); off by 1.5e-7 at most.
# Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26.
_ERF_P, _ERF_A = 0.3275911, (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
# atan(x) for |x| ≤ √2 - 1, off by 2e-7 at most. Moshier, "Methods and Programs for Mathematical Functions", 1989.
_ATAN = (8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1)


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


def _remainder(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """Of floats, with the sign of the dividend: x - y·trunc(x/y)."""
    if not attribute(node, "fmod", 0):
        return
    x, y = node.input
    quotient = write("Div", x, y)
    whole = write("Mul", write("Sign", quotient), write("Floor", write("Abs", quotient)))
    write("Sub", x, write("Mul", whole, y))


def _angle(write: Writer, y: str, x: str) -> str:
    """The angle of (x, y) from -π to π, by the half of the half of its tangent."""
    width, height = write("Abs", x), write("Abs", y)
    longer = write("Max", write("Max", width, height), write.number(1e-30))
    slope = write("Div", write("Min", width, height), longer)
    root = write("Sqrt", write("Add", write("Mul", slope, slope), write.number(1)))
    half = write("Div", slope, write("Add", root, write.number(1)))
    square, sums = write("Mul", half, half), write.number(_ATAN[0])
    for factor in _ATAN[1:]:
        sums = write("Add", write("Mul", sums, square), write.number(factor))
    angle = write("Add", half, write("Mul", half, write("Mul", square, sums)))
    angle = write("Add", angle, angle)
    steep = write("Greater", height, width)
    angle = write("Where", steep, write("Sub", write.number(pi / 2), angle), angle)
    angle = write("Where", write("Less", x, write.number(0)), write("Sub", write.number(pi), angle), angle)
    return write("Where", write("Less", y, write.number(0)), write("Neg", angle), angle)


def _atan(write: Writer, graph: OnnxGraph, node: Any) -> None:
    x = node.input[0]
    _angle(write, x, write("Add", write("Mul", x, write.number(0)), write.number(1)))


def _across(write: Writer, x: str) -> str:
    """√(1 - x²), exact near 1."""
    return write("Sqrt", write("Mul", write("Sub", write.number(1), x), write("Add", x, write.number(1))))


def _asin(write: Writer, graph: OnnxGraph, node: Any) -> None:
    _angle(write, node.input[0], _across(write, node.input[0]))


def _acos(write: Writer, graph: OnnxGraph, node: Any) -> None:
    _angle(write, _across(write, node.input[0]), node.input[0])


def _tan(write: Writer, graph: OnnxGraph, node: Any) -> None:
    write("Div", write("Sin", node.input[0]), write("Cos", node.input[0]))


def _hyperbolic(kind: str) -> Rule:
    def rule(write: Writer, graph: OnnxGraph, node: Any) -> None:
        x = node.input[0]
        write("Mul", write(kind, write("Exp", x), write("Exp", write("Neg", x))), write.number(0.5))

    return rule


def _asinh(write: Writer, graph: OnnxGraph, node: Any) -> None:
    size = write("Abs", node.input[0])
    root = write("Sqrt", write("Add", write("Mul", size, size), write.number(1)))
    write("Mul", write("Sign", node.input[0]), write("Log", write("Add", size, root)))


def _acosh(write: Writer, graph: OnnxGraph, node: Any) -> None:
    x = node.input[0]
    root = write("Sqrt", write("Sub", write("Mul", x, x), write.number(1)))
    write("Log", write("Add", x, root))


def _atanh(write: Writer, graph: OnnxGraph, node: Any) -> None:
    x = node.input[0]
    quotient = write("Div", write("Add", x, write.number(1)), write("Sub", write.number(1), x))
    write("Mul", write("Log", quotient), write.number(0.5))


def _swish(write: Writer, graph: OnnxGraph, node: Any) -> None:
    x, alpha = node.input[0], attribute(node, "alpha", 1.0)
    write("Mul", x, write("Sigmoid", x if alpha == 1 else write("Mul", x, write.number(alpha))))


def _prelu(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """Where TFLite's PRELU of a picture, with one number a channel, does not say it."""
    x, slope = node.input
    shape, value = graph.shape(x), graph.constants.get(slope)
    if value is not None and value.size:
        channels = shape[1] if shape is not None and len(shape) == 4 else 0
        if value.size == 1 or (value.size == channels and value.ndim >= 3 and value.shape[-3] == channels):
            return
    write("Add", write("Relu", x), write("Mul", write("Min", x, write.number(0)), slope))


def _clip(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """Between bounds that are computed, or without any."""
    bounds = [(kind, name) for kind, name in zip(("Max", "Min"), list(node.input)[1:], strict=False) if name]
    if not any(name not in graph.constants for _, name in bounds) and (bounds or attribute(node, "min") is not None):
        return
    made = node.input[0]
    for kind, name in bounds:
        made = write(kind, made, name)
    if not bounds:
        write("Identity", made)


ACTIVATIONS: dict[str, Rule] = {
    "Softplus": _softplus,
    "Mish": _mish,
    "Softsign": _softsign,
    "Elu": _elu,
    "Selu": _selu,
    "Celu": _celu,
    "Swish": _swish,
    "PRelu": _prelu,
    "Clip": _clip,
    "ThresholdedRelu": _thresholded,
    "Shrink": _shrink,
    "Reciprocal": _reciprocal,
    "Erf": _erf,
    "Mod": _remainder,
    "Atan": _atan,
    "Asin": _asin,
    "Acos": _acos,
    "Tan": _tan,
    "Sinh": _hyperbolic("Sub"),
    "Cosh": _hyperbolic("Add"),
    "Asinh": _asinh,
    "Acosh": _acosh,
    "Atanh": _atanh,
}
