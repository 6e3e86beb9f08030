"""Operators in real values: what a float file computes, and what an int8 kernel without rules of its own rounds."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from exporter.quantization.qat.moves import factors, margins
from exporter.quantization.qat.program import Step

Real = Callable[[Step, list[Tensor]], Tensor]  # (N, H, W, C) pictures, the constants among them

LIMITS = {"RELU": (0.0, None), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0), "RELU_0_TO_1": (0.0, 1.0)}


def activated(step: Step, x: Tensor) -> Tensor:
    return x if step.activation is None else _clamped(x, step.activation)


def weighted_sum(step: Step, picture: Tensor, weights: Tensor) -> Tensor:
    """The convolution, or product, without its bias: in real values, or exact in integers below 2²⁴."""
    x = picture.permute(0, 3, 1, 2) if picture.dim() == 4 else picture
    if step.kind == "CONV_2D":
        x = F.pad(x, margins(step, (x.shape[2], x.shape[3]), (weights.shape[1], weights.shape[2])))
        made = F.conv2d(x, weights.permute(0, 3, 1, 2), None, step.strides, 0, step.dilations)
    elif step.kind == "DEPTHWISE_CONV_2D":
        x = F.pad(x, margins(step, (x.shape[2], x.shape[3]), (weights.shape[1], weights.shape[2])))
        filters = weights.permute(3, 0, 1, 2)
        made = F.conv2d(x, filters, None, step.strides, 0, step.dilations, groups=x.shape[1])
    elif step.kind == "TRANSPOSE_CONV":
        made = _transposed(step, x, weights)
    else:
        return (picture if step.options["keepNumDims"] else picture.flatten(1)) @ weights.T
    return made.permute(0, 2, 3, 1)


def _transposed(step: Step, x: Tensor, weights: Tensor) -> Tensor:
    made = F.conv_transpose2d(x, weights.permute(3, 0, 1, 2), None, step.strides)
    for axis, taps, stride in zip((1, 2), weights.shape[1:3], step.strides, strict=True):
        surplus = (step.shapes[2][axis] - 1) * stride + taps - step.output_shape[axis]
        if surplus < 0:
            raise step.unsimulated("an output larger than its kernel reaches")
        begin = surplus // 2 if step.same_padding else 0
        made = made.narrow(axis + 1, begin, made.shape[axis + 1] - surplus)
    return made


def _clamped(x: Tensor, kind: str) -> Tensor:
    low, high = LIMITS[kind]
    return x.clamp(low, high)


def _mean(step: Step, x: list[Tensor]) -> Tensor:
    return x[0].mean(step.numbers(1), keepdim=bool(step.options["keepDims"]))


def _sum(step: Step, x: list[Tensor]) -> Tensor:
    return x[0].sum(step.numbers(1), keepdim=bool(step.options["keepDims"]))


def bilinear(step: Step, x: list[Tensor]) -> Tensor:
    corners, centres = bool(step.options["alignCorners"]), bool(step.options["halfPixelCenters"])
    if not corners and not centres:
        raise step.unsimulated("asymmetric sampling")
    down, across = factors(step)
    size = (x[0].shape[1] * down, x[0].shape[2] * across)
    made = F.interpolate(x[0].permute(0, 3, 1, 2), size, mode="bilinear", align_corners=corners)
    return made.permute(0, 2, 3, 1)


def slope(step: Step) -> float:
    """Of a leaky ReLU below zero."""
    return float(step.options["alpha"])


def average_pool(step: Step, x: list[Tensor]) -> Tensor:
    window = int(step.options["filterHeight"]), int(step.options["filterWidth"])
    if any(margins(step, (x[0].shape[1], x[0].shape[2]), window)):
        raise step.unsimulated("a window that leaves the picture")
    return F.avg_pool2d(x[0].permute(0, 3, 1, 2), window, step.strides).permute(0, 2, 3, 1)


def _unary(function: Callable[[Tensor], Tensor]) -> Real:
    return lambda step, x: function(x[0])


def _binary(function: Callable[[Tensor, Tensor], Tensor]) -> Real:
    return lambda step, x: activated(step, function(x[0], x[1]))


REALS: dict[str, Real] = {
    "ADD": _binary(torch.add),
    "SUB": _binary(torch.sub),
    "MUL": _binary(torch.mul),
    "DIV": _binary(torch.div),
    "MINIMUM": _binary(torch.minimum),
    "MAXIMUM": _binary(torch.maximum),
    "SQUARED_DIFFERENCE": _binary(lambda a, b: (a - b).square()),
    "MEAN": _mean,
    "SUM": _sum,
    "RESIZE_BILINEAR": bilinear,
    "AVERAGE_POOL_2D": average_pool,
    "ABS": _unary(torch.abs),
    "NEG": _unary(torch.neg),
    "EXP": _unary(torch.exp),
    "SQRT": _unary(torch.sqrt),
    "RSQRT": _unary(torch.rsqrt),
    "SQUARE": _unary(torch.square),
    "TANH": _unary(torch.tanh),
    "LOGISTIC": _unary(torch.sigmoid),
    "HARD_SWISH": _unary(F.hardswish),
    "LEAKY_RELU": lambda step, x: F.leaky_relu(x[0], slope(step)),
    "PRELU": lambda step, x: torch.where(x[0] < 0, x[0] * x[1], x[0]),
    "GELU": lambda step, x: F.gelu(x[0], approximate="tanh" if step.options["approximate"] else "none"),
    "SOFTMAX": lambda step, x: F.softmax(x[0] * float(step.options["beta"]), -1),
    **{kind: (lambda step, x: _clamped(x[0], step.kind)) for kind in LIMITS if kind != "RELU"},
    "QUANTIZE": _unary(torch.Tensor.clone),
    "DEQUANTIZE": _unary(torch.Tensor.clone),
}
