"""Operators that work number by number."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from exporter.rewrites.onnx_graph import attribute
from exporter.rewrites.translate import Translation, Translator, Untranslatable

_TABLES = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions", "DIV": "DivOptions"}
_PAIRS = {"Add": "ADD", "Sub": "SUB", "Mul": "MUL", "Div": "DIV", "Min": "MINIMUM", "Max": "MAXIMUM"}
_SINGLE = {"Relu": "RELU", "Sigmoid": "LOGISTIC", "Tanh": "TANH", "HardSwish": "HARD_SWISH", "Sqrt": "SQRT"}
_SINGLE_WITH_TABLE = {
    "Exp": ("EXP", "ExpOptions"),
    "Neg": ("NEG", "NegOptions"),
    "Abs": ("ABS", "AbsOptions"),
}
_CLAMPS = {
    (0.0, math.inf): "RELU",
    (0.0, 6.0): "RELU6",
    (0.0, 1.0): "RELU_0_TO_1",
    (-1.0, 1.0): "RELU_N1_TO_1",
}


def single(work: Translation, node: Any) -> None:
    work.emit(_SINGLE[node.op_type], [work.picture(node)], [work.result(node)])


def single_with_table(work: Translation, node: Any) -> None:
    kind, table = _SINGLE_WITH_TABLE[node.op_type]
    work.emit(kind, [work.picture(node)], [work.result(node)], table)


def pair(work: Translation, node: Any) -> None:
    if len(node.input) != 2:
        raise Untranslatable(node, f"it has {len(node.input)} operands, not 2")
    if node.op_type == "Div" and _divide(work, node):
        return
    inputs = [work.operand(node, 0), work.operand(node, 1)]
    _emit_pair(work, _PAIRS[node.op_type], inputs, work.result(node))


def _emit_pair(work: Translation, kind: str, inputs: list[int], out: int) -> None:
    if kind in _TABLES:
        work.emit(kind, inputs, [out], _TABLES[kind], fusedActivationFunction=0)
    else:
        work.emit(kind, inputs, [out], "MaximumMinimumOptions")


def _divide(work: Translation, node: Any) -> bool:
    """By a constant: multiply by its inverse. By a square root: multiply by RSQRT. DIV has no int8 kernel."""
    divisor = work.source.constants.get(node.input[1])
    if divisor is not None:
        inverse = (1 / divisor.astype(np.float64)).astype(np.float32)
        node.input[1] = work.source.add_constant(f"{node.input[1]}_inverse", inverse)
        _emit_pair(work, "MUL", [work.operand(node, 0), work.operand(node, 1)], work.result(node))
        return True
    root = work.source.producer(node.input[1])
    if root is None or root.op_type != "Sqrt":
        return False
    above = work.source.constants.get(node.input[0])
    if above is not None and np.all(above == 1):
        work.emit("RSQRT", [work.tensors[root.input[0]]], [work.result(node)])
        return True
    inverse_root = work.between(node, "rsqrt", work.shape(node, node.input[1]))
    work.emit("RSQRT", [work.tensors[root.input[0]]], [inverse_root])
    _emit_pair(work, "MUL", [work.operand(node, 0), inverse_root], work.result(node))
    return True


def clamp(work: Translation, node: Any) -> None:
    low = float(work.constant(node, 1, np.array(-math.inf)).reshape(-1)[0])
    high = float(work.constant(node, 2, np.array(math.inf)).reshape(-1)[0])
    picture, out = work.picture(node), work.result(node)
    if (low, high) in _CLAMPS:
        work.emit(_CLAMPS[low, high], [picture], [out])
        return
    bounds = [(kind, value) for kind, value in (("MAXIMUM", low), ("MINIMUM", high)) if math.isfinite(value)]
    if not bounds:
        raise Untranslatable(node, "it clamps to nothing")
    for number, (kind, value) in enumerate(bounds):
        last = number == len(bounds) - 1
        target = out if last else work.between(node, "bounded", work.target.shape(out))
        bound = work.stored(f"{node.output[0]}_{kind.lower()}", np.array(value, np.float32))
        work.emit(kind, [picture, bound], [target], "MaximumMinimumOptions")
        picture = target


def leaky_relu(work: Translation, node: Any) -> None:
    alpha = attribute(node, "alpha", 0.01)
    work.emit("LEAKY_RELU", [work.picture(node)], [work.result(node)], "LeakyReluOptions", alpha=alpha)


def prelu(work: Translation, node: Any) -> None:
    slope = work.constant(node, 1).astype(np.float32)
    channels = work.shape(node, node.input[0])[3]
    if np.all(slope == slope.reshape(-1)[0]):
        alpha = float(slope.reshape(-1)[0])
        work.emit("LEAKY_RELU", [work.picture(node)], [work.result(node)], "LeakyReluOptions", alpha=alpha)
        return
    if slope.size != channels or slope.ndim < 3 or slope.shape[-3] != channels:
        raise Untranslatable(node, f"its slope has shape {slope.shape}, not one number a channel")
    stored = work.stored(node.input[1], slope.reshape(1, 1, channels))
    work.emit("PRELU", [work.picture(node), stored], [work.result(node)])


def hard_sigmoid(work: Translation, node: Any) -> None:
    """clamp(alpha·x + beta, 0, 1)."""
    out = work.result(node)
    shape = work.target.shape(out)
    scaled, moved = work.between(node, "scaled", shape), work.between(node, "moved", shape)
    alpha = work.stored(f"{node.output[0]}_alpha", np.array(attribute(node, "alpha", 0.2), np.float32))
    beta = work.stored(f"{node.output[0]}_beta", np.array(attribute(node, "beta", 0.5), np.float32))
    _emit_pair(work, "MUL", [work.picture(node), alpha], scaled)
    _emit_pair(work, "ADD", [scaled, beta], moved)
    work.emit("RELU_0_TO_1", [moved], [out])


def softmax(work: Translation, node: Any) -> None:
    if attribute(node, "axis", -1) % 4 != 1:
        raise Untranslatable(node, "only a softmax over channels is known")
    work.emit("SOFTMAX", [work.picture(node)], [work.result(node)], "SoftmaxOptions", beta=1.0)


def batch_norm(work: Translation, node: Any) -> None:
    scale, shift, mean, variance = (work.constant(node, place).astype(np.float64) for place in range(1, 5))
    factor = scale / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
    out = work.result(node)
    scaled = work.between(node, "scaled", work.target.shape(out))
    stored = work.stored(f"{node.output[0]}_factor", factor.astype(np.float32))
    moved = work.stored(f"{node.output[0]}_shift", (shift - mean * factor).astype(np.float32))
    _emit_pair(work, "MUL", [work.picture(node), stored], scaled)
    _emit_pair(work, "ADD", [scaled, moved], out)


def identity(work: Translation, node: Any) -> None:
    work.tensors[node.output[0]] = work.picture(node)


VALUES: dict[str, Translator] = {
    **dict.fromkeys(_SINGLE, single),
    **dict.fromkeys(_SINGLE_WITH_TABLE, single_with_table),
    **dict.fromkeys(_PAIRS, pair),
    "Clip": clamp,
    "LeakyRelu": leaky_relu,
    "PRelu": prelu,
    "HardSigmoid": hard_sigmoid,
    "Softmax": softmax,
    "BatchNormalization": batch_norm,
    "Identity": identity,
}
