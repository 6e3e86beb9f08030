"""Operators that work number by number."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np

from exporter.convert.builder import HIGHEST_RANK, NHWC, Order, Translation, Translator, Untranslatable
from exporter.graph.onnx_editor import Array, attribute
from exporter.graph.tflite_editor import DTYPES

_TABLES = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions", "DIV": "DivOptions"}
_PAIRS = {"Add": "ADD", "Sub": "SUB", "Mul": "MUL", "Div": "DIV", "Min": "MINIMUM", "Max": "MAXIMUM"}
_SINGLE = {
    "Relu": ("RELU", ""), "Sigmoid": ("LOGISTIC", ""), "Tanh": ("TANH", ""), "HardSwish": ("HARD_SWISH", ""),
    "Sqrt": ("SQRT", ""), "Exp": ("EXP", "ExpOptions"), "Neg": ("NEG", "NegOptions"), "Abs": ("ABS", "AbsOptions"),
    "Log": ("LOG", ""), "Sin": ("SIN", ""), "Cos": ("COS", "CosOptions"), "Floor": ("FLOOR", ""), "Ceil": ("CEIL", ""),
    "Round": ("ROUND", ""), "Sign": ("SIGN", ""), "Elu": ("ELU", ""),
}  # fmt: skip
_CLAMPS = {
    (0.0, math.inf): "RELU",
    (0.0, 6.0): "RELU6",
    (0.0, 1.0): "RELU_0_TO_1",
    (-1.0, 1.0): "RELU_N1_TO_1",
}


def single(work: Translation, node: Any) -> None:
    kind, table = _SINGLE[node.op_type]
    with in_and_out(work, node) as (picture, out):
        work.emit(kind, [picture], [out], table)


@contextmanager
def in_and_out(work: Translation, node: Any, dtype: str | None = None) -> Iterator[tuple[int, int]]:
    """(from, to), of rank 4 at most: a function of one number does not mind how they lie."""
    order = work.order(node)
    picture, out = work.held(node, 0, order), work.result(node, order=order, dtype=dtype)
    with _of_low_rank(work, picture, out) as flat:
        yield flat


@contextmanager
def _of_low_rank(work: Translation, picture: int, out: int) -> Iterator[tuple[int, int]]:
    shape = work.target.shape(picture)
    if len(shape) <= HIGHEST_RANK:
        yield picture, out
        return
    flat = (*shape[: HIGHEST_RANK - 1], prod(shape[HIGHEST_RANK - 1 :]))
    made = work.flat_like(out, flat)
    yield work.reshaped(picture, flat), made
    work.reshaped(made, shape, out)


def gelu(work: Translation, node: Any) -> None:
    approximate = attribute(node, "approximate", "none") == "tanh"
    with in_and_out(work, node) as (picture, out):
        work.emit("GELU", [picture], [out], "GeluOptions", approximate=approximate)


def pair(work: Translation, node: Any) -> None:
    if len(node.input) != 2:
        raise Untranslatable(node, f"it has {len(node.input)} operands, not 2")
    if node.op_type == "Div" and _divide(work, node):
        return
    kind = _PAIRS[node.op_type]
    if kind in _TABLES:
        broadcast(work, node, kind, common_order(work, node), _TABLES[kind], fusedActivationFunction=0)
    else:
        broadcast(work, node, kind, common_order(work, node), "MaximumMinimumOptions")


def broadcast(
    work: Translation, node: Any, kind: str, order: Order, table: str, dtype: str | None = None, **options: Any
) -> None:
    """An operator number by number on all inputs; kernels spread no more than four axes, so neighbours are joined."""
    inputs = _alike(work, node, [work.operand(node, place, order) for place in range(len(node.input))])
    out = work.result(node, order=order, dtype=dtype or work.target.dtype(inputs[-1]))
    _spread(work, kind, inputs, out, table, **options)


def _spread(work: Translation, kind: str, inputs: list[int], out: int, table: str, **options: Any) -> None:
    shapes, whole = [work.target.shape(index) for index in inputs], work.target.shape(out)
    if len(whole) <= HIGHEST_RANK:
        work.emit(kind, inputs, [out], table, **options)
        return
    runs = _joint_axes([*shapes, whole], len(whole))
    if len(runs) > HIGHEST_RANK:
        _spread(work, kind, _less_spread(work, inputs, whole), out, table, **options)
        return
    flat = [work.reshaped(index, _joined(shape, runs)) if shape else index
            for index, shape in zip(inputs, shapes, strict=True)]  # fmt: skip
    made = work.flat_like(out, _joined(whole, runs))
    work.emit(kind, flat, [made], table, **options)
    work.reshaped(made, whole, out)


def _less_spread(work: Translation, inputs: list[int], whole: tuple[int, ...]) -> list[int]:
    """The smallest operand that is spread over the last axis, repeated there."""
    for axis in reversed(range(len(whole))):
        shapes = [work.target.shape(index) for index in inputs]
        spread = [place for place, shape in enumerate(shapes) if shape and shape[axis] < whole[axis]]
        if spread:
            place = min(spread, key=lambda place: prod(shapes[place]))
            repeated = work.repeated(inputs[place], axis, whole[axis])
            return [repeated if n == place else index for n, index in enumerate(inputs)]
    raise AssertionError("operands that are nowhere spread have one run")


def _alike(work: Translation, node: Any, inputs: list[int]) -> list[int]:
    """Whole numbers and others that meet, all as what comes out; what chooses between them is none of them."""
    formats = {work.target.dtype(index) for index in inputs} - {"BOOL"}
    is_whole = work.is_whole(node.output[0])
    if len(formats) < 2 and not (is_whole and node.op_type == "Div"):  # which ends at a whole number
        return inputs
    wanted = "INT32" if is_whole else "FLOAT32"
    made = []
    for index in inputs:
        value, name = work.target.constant(index), f"{work.target.name(index)}_{wanted.lower()}"
        if work.target.dtype(index) in (wanted, "BOOL"):
            made.append(index)
        elif value is not None:
            made.append(work.stored(name, value.astype(DTYPES[wanted])))
        else:
            made.append(work.target.add_tensor(name, work.target.shape(index), wanted))
            work.recast(index, made[-1])
    return made


def _joint_axes(shapes: list[tuple[int, ...]], rank: int) -> list[list[int]]:
    """Runs of neighbouring axes along which each operand is either whole or spread."""
    runs: list[list[int]] = []
    before: list[bool] = []
    for axis in range(rank):
        if all(shape[axis] == 1 for shape in shapes if shape):
            spread = before  # nothing to spread: it goes along with any neighbour
        else:
            spread = [shape[axis] == 1 for shape in shapes if shape]
        if runs and (spread == before or not before):
            runs[-1].append(axis)
        else:
            runs.append([axis])
        before = spread
    while runs and len(runs) < HIGHEST_RANK and (long := [run for run in runs if len(run) > 1]):
        place = runs.index(long[-1])  # no more are joined than must be
        runs[place : place + 1] = [long[-1][:-1], long[-1][-1:]]
    return runs


def _joined(shape: tuple[int, ...], runs: list[list[int]]) -> tuple[int, ...]:
    return tuple(prod(shape[axis] for axis in run) for run in runs)


def common_order(work: Translation, node: Any) -> Order:
    """An order of the result that costs the fewest elements moved: the largest operand's, or one both are held in."""
    rank = len(work.sizes(node, node.output[0]))
    held = [name for name in node.input if name in work.forms and len(work.sizes(node, name)) == rank]
    if not held:
        return NHWC if rank == 4 else tuple(range(rank))
    if rank == 5 and prod(work.sizes(node, held[0])) < prod(work.sizes(node, node.output[0])):
        stored = [work.source.constants.get(name) for name in node.input]
        if any(value is not None and value.ndim == rank and value[0, 0].size > 1 for value in stored):
            return (0, 1, 3, 4, 2)  # stored pictures lie as computed ones do, whatever their number
    held.sort(key=lambda name: -prod(work.sizes(node, name)))
    orders = list(work.forms[held[0]])
    return next((order for order in orders if all(order in work.forms[name] for name in held)), orders[0])


def power(work: Translation, node: Any) -> None:
    broadcast(work, node, "POW", common_order(work, node), "PowOptions")


def _emit_pair(work: Translation, kind: str, inputs: list[int], out: int) -> None:
    if kind in _TABLES:
        work.emit(kind, inputs, [out], _TABLES[kind], fusedActivationFunction=0)
    else:
        work.emit(kind, inputs, [out], "MaximumMinimumOptions")


def _divide(work: Translation, node: Any) -> bool:
    """By a constant: multiply by its inverse. By a square root: multiply by RSQRT. DIV has no int8 kernel."""
    divisor = work.source.constants.get(node.input[1])
    if work.format(node) == "INT32" or work.is_whole(node.output[0]):
        return False
    if divisor is not None:
        with np.errstate(divide="ignore"):  # by zero: infinity, as ONNX has it
            inverse = (1 / divisor.astype(np.float64)).astype(np.float32)
        work.source.set_input(node, 1, work.source.add_constant(f"{node.input[1]}_inverse", inverse))
        broadcast(work, node, "MUL", common_order(work, node), "MulOptions", fusedActivationFunction=0)
        return True
    root = work.source.producer(node.input[1])
    if root is None or root.op_type != "Sqrt":
        return False
    above = work.source.constants.get(node.input[0])
    order = common_order(work, node)
    inside = work.operand(root, 0, order)
    if above is not None and np.all(above == 1):
        _inverse_root(work, inside, work.result(node, order=order))
        return True
    inverse_root = work.between(node, "rsqrt", work.target.shape(inside))
    _inverse_root(work, inside, inverse_root)
    factors = [work.operand(node, 0, order), inverse_root]
    _spread(work, "MUL", factors, work.result(node, order=order), "MulOptions", fusedActivationFunction=0)
    return True


def _inverse_root(work: Translation, inside: int, out: int) -> None:
    with _of_low_rank(work, inside, out) as (picture, made):
        work.emit("RSQRT", [picture], [made])


def clamp(work: Translation, node: Any) -> None:
    low = float(work.constant(node, 1, np.array(-math.inf)).reshape(-1)[0])
    high = float(work.constant(node, 2, np.array(math.inf)).reshape(-1)[0])
    bounds = [(kind, value) for kind, value in (("MAXIMUM", low), ("MINIMUM", high)) if math.isfinite(value)]
    if not bounds:
        raise Untranslatable(node, "it clamps to nothing")
    with in_and_out(work, node) as (picture, out):
        is_whole = work.target.dtype(picture) == "INT32"
        if (low, high) in _CLAMPS and not is_whole:
            work.emit(_CLAMPS[low, high], [picture], [out])
            return
        shape = work.target.shape(picture)
        for number, (kind, value) in enumerate(bounds):
            last = number == len(bounds) - 1
            target = out if last else work.between(node, "bounded", work.target.shape(out))
            limit = np.array(value, np.int32) if is_whole else _bound(value, low > 0 or high < 0, shape)
            bound = work.stored(f"{node.output[0]}_{kind.lower()}", limit)
            work.emit(kind, [picture, bound], [target], "MaximumMinimumOptions")
            picture = target


def _bound(value: float, excludes_zero: bool, shape: tuple[int, ...]) -> Array:
    """XNNPACK joins a clamp by one number to the convolution before it, and cannot prepare one whose padding is clamped
    to other than zero: such a bound is written once a channel, which it leaves alone."""
    return np.full(shape[-1:] if excludes_zero else (), value, np.float32)


def leaky_relu(work: Translation, node: Any) -> None:
    _leaky(work, node, attribute(node, "alpha", 0.01))


def _leaky(work: Translation, node: Any, alpha: float) -> None:
    with in_and_out(work, node) as (picture, out):
        work.emit("LEAKY_RELU", [picture], [out], "LeakyReluOptions", alpha=alpha)


def prelu(work: Translation, node: Any) -> None:
    slope = work.constant(node, 1).astype(np.float32)
    if np.all(slope == slope.reshape(-1)[0]):
        _leaky(work, node, float(slope.reshape(-1)[0]))
        return
    channels = work.shape(node, node.input[0])[3]
    if slope.size != channels or slope.ndim < 3 or slope.shape[-3] != channels:
        raise Untranslatable(node, f"its slope has shape {slope.shape}, not one number a channel")
    stored = work.stored(node.input[1], slope.reshape(1, 1, channels))
    work.emit("PRELU", [work.picture(node), stored], [work.result(node)])


def hard_sigmoid(work: Translation, node: Any) -> None:
    """clamp(alpha·x + beta, 0, 1)."""
    with in_and_out(work, node) as (picture, out):
        shape = work.target.shape(out)
        scaled, moved = work.between(node, "scaled", shape), work.between(node, "moved", shape)
        alpha = work.stored(f"{node.output[0]}_alpha", np.array(attribute(node, "alpha", 0.2), np.float32))
        beta = work.stored(f"{node.output[0]}_beta", np.array(attribute(node, "beta", 0.5), np.float32))
        _emit_pair(work, "MUL", [picture, alpha], scaled)
        _emit_pair(work, "ADD", [scaled, beta], moved)
        work.emit("RELU_0_TO_1", [moved], [out])


def batch_norm(work: Translation, node: Any) -> None:
    """Of a picture; `passes/onnx/statistics.py` writes those of other ranks out."""
    scale, shift, mean, variance = (work.constant(node, place).astype(np.float64) for place in range(1, 5))
    factor = scale / np.sqrt(variance + attribute(node, "epsilon", 1e-5))
    out = work.result(node)
    scaled = work.between(node, "scaled", work.target.shape(out))
    stored = work.stored(f"{node.output[0]}_factor", factor.astype(np.float32))
    moved = work.stored(f"{node.output[0]}_shift", (shift - mean * factor).astype(np.float32))
    _emit_pair(work, "MUL", [work.picture(node), stored], scaled)
    _emit_pair(work, "ADD", [scaled, moved], out)


VALUES: dict[str, Translator] = {
    **dict.fromkeys(_SINGLE, single),
    **dict.fromkeys(_PAIRS, pair),
    "Pow": power,
    "Gelu": gelu,
    "Clip": clamp,
    "LeakyRelu": leaky_relu,
    "PRelu": prelu,
    "HardSigmoid": hard_sigmoid,
    "BatchNormalization": batch_norm,
}
