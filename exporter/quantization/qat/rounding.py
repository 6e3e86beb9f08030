"""The roundings of int8 kernels, each passing gradients on as if it were not there (the straight-through estimator).

Source of the estimator: Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons", 2013.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, smooth: Tensor, exact: Tensor) -> Tensor:  # noqa: ARG004
        return exact.to(smooth.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ARG004
        return gradient, None


def straight_through(smooth: Tensor, exact: Tensor) -> Tensor:
    """The value of `exact` with the gradient of `smooth`."""
    made: Tensor = _StraightThrough.apply(smooth, exact)  # type: ignore[no-untyped-call]
    return made


def rounded(x: Tensor) -> Tensor:
    """To the nearest integer, halves to the even one: what XNNPACK's float requantization does."""
    return straight_through(x, x.detach().round())


class _Limited(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, low: Tensor, high: Tensor) -> Tensor:
        ctx.save_for_backward(x < low, x > high)
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        below, above = ctx.saved_tensors
        inside = gradient.masked_fill(below | above, 0)
        low, high = (
            gradient.masked_fill(~cut, 0).sum() if wanted else None
            for cut, wanted in zip((below, above), ctx.needs_input_grad[1:], strict=True)
        )
        return inside, low, high


def limited(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """`x` within two scalars. What is cut off pulls at its end, all else passes gradients on, the ends included.

    torch.minimum and torch.maximum halve the gradient where both are equal, as steps at an end always are.
    """
    made: Tensor = _Limited.apply(x, low, high)  # type: ignore[no-untyped-call]
    return made


def fixed_point(scale: float) -> tuple[int, int]:
    """`scale` as fraction · 2**(exponent - 31), the fraction a 31-bit integer: TFLite's QuantizeMultiplier."""
    mantissa, exponent = math.frexp(scale)
    fraction = math.floor(mantissa * 2**31 + 0.5)
    return (fraction // 2, exponent + 1) if fraction == 2**31 else (fraction, exponent)


def high_product(a: Tensor, b: Tensor | int, bits: int) -> Tensor:
    """a·b / 2**bits for int64 tensors, rounded to the nearest, halves up (gemmlowp's …RoundingDoublingHighMul)."""
    product = a * b
    half = 1 << (bits - 1)
    return torch.div(torch.where(product >= 0, product + half, product + 1 - half), 1 << bits, rounding_mode="trunc")


def halved(x: Tensor, exponent: int) -> Tensor:
    """x / 2**exponent for int64 tensors, to the nearest, halves away from zero (gemmlowp's RoundingDivideByPOT)."""
    if exponent == 0:
        return x
    mask = (1 << exponent) - 1
    return (x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0).long()).long()


def multiplied(x: Tensor, scale: float) -> Tensor:
    """x·scale for int64 tensors in TFLite's fixed point, rounded twice (MultiplyByQuantizedMultiplier)."""
    fraction, exponent = fixed_point(scale)
    return halved(high_product(x << max(exponent, 0), fraction, 31), max(-exponent, 0))
