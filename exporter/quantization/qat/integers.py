"""What LiteRT's int8 kernels compute, step for step: XNNPACK's where it has one, TensorFlow Lite's own where not.

Tensors hold steps around zero, stored value minus zero point, as float32: a step is 1, and real zero is 0. Found by
comparing each kernel with LiteRT 2.1 on x86; tests/quantization/qat/test_simulation.py compares them again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from exporter.quantization.params import HIGHEST, LOWEST, STEPS
from exporter.quantization.qat.program import Step
from exporter.quantization.qat.reals import LIMITS, average_pool, bilinear, slope, weighted_sum
from exporter.quantization.qat.rounding import (
    fixed_point,
    halved,
    high_product,
    limited,
    multiplied,
    rounded,
    straight_through,
)


@dataclass(frozen=True)
class Params:
    """Scale and zero point of a tensor, both float32 scalars that may carry gradients."""

    scale: Tensor
    zero_point: Tensor

    def clamped(self, steps: Tensor, activation: str | None = None) -> Tensor:
        """`steps` cut off at the ends of int8, and where the activation function begins."""
        low, high = LOWEST - self.zero_point, HIGHEST - self.zero_point
        if activation is not None:
            floor, ceiling = LIMITS[activation]
            low = torch.maximum(low, (floor / self.scale.detach()).round())
            if ceiling is not None:
                high = torch.minimum(high, (ceiling / self.scale.detach()).round())
        return limited(steps, low, high)

    def quantized(self, real: Tensor) -> Tensor:
        return self.clamped(rounded(real / self.scale))


@dataclass(frozen=True)
class Filters:
    """Weights in steps, one scale for each output channel, and the bias in steps of input scale · weight scale."""

    steps: Tensor
    scales: Tensor
    bias: Tensor


def weighted(step: Step, x: Tensor, params: Params, filters: Filters, out: Params) -> Tensor:
    total = weighted_sum(step, x, filters.steps) + filters.bias
    return out.clamped(rounded(total * (params.scale * filters.scales / out.scale)), step.activation)


def _number(scalar: Tensor) -> float:
    return float(scalar.detach())


Integer = Callable[[Step, list[Tensor], list[Params], Params], Tensor]


def _addition(step: Step, x: list[Tensor], params: list[Params], out: Params) -> Tensor:
    """XNNPACK: each input times an integer of 21 bits, halves up."""
    a, b = (each.scale / out.scale for each in params)
    b = -b if step.kind == "SUB" else b
    larger = max(_number(a), abs(_number(b)))
    bits = 21 - math.frexp(larger)[1]
    one, two = (round(_number(ratio) * 2.0**bits) for ratio in (a, b))
    exact = (x[0].detach().int() * one + x[1].detach().int() * two + (1 << (bits - 1))) >> bits
    return out.clamped(straight_through(x[0] * a + x[1] * b, exact), step.activation)


def _product(step: Step, x: list[Tensor], params: list[Params], out: Params) -> Tensor:
    scale = params[0].scale * params[1].scale / out.scale
    return out.clamped(rounded(x[0] * x[1] * scale), step.activation)


def _mean(step: Step, x: list[Tensor], params: list[Params], out: Params) -> Tensor:
    axes = step.numbers(1)
    places = 1
    for axis in axes:
        places *= x[0].shape[axis]
    total = x[0].double().sum(axes, keepdim=bool(step.options["keepDims"])).float()  # above 2²⁴ in large pictures
    return out.clamped(rounded(total * (params[0].scale / (places * out.scale))))


def _hard_swish(step: Step, x: list[Tensor], params: list[Params], out: Params) -> Tensor:
    real = x[0] * params[0].scale
    table = _hard_swish_table(_number(params[0].scale), _number(out.scale)).to(x[0])
    exact = table[x[0].detach().long() + STEPS]
    return out.clamped(straight_through(torch.nn.functional.hardswish(real) / out.scale, exact))


def _hard_swish_table(scale: float, made: float) -> Tensor:
    """TensorFlow Lite's reference kernel in 16-bit fixed point, of -255 … 255 steps."""
    high = torch.arange(-STEPS, STEPS + 1) * 128
    hires = torch.tensor(scale) / 128
    to_output, down = fixed_point(float(hires / torch.tensor(made)))
    to_gate, up = fixed_point(float(hires / torch.tensor(3 / 32768)))
    to_output, to_gate = (min((fraction + (1 << 15)) >> 16, 32767) for fraction in (to_output, to_gate))
    gate = (high << (up - 1)).clamp(-32768, 32767) if up > 0 else high
    gate = high_product(gate, to_gate, 15)
    gate = (gate << 1).clamp(-32768, 32767) if up > 0 else halved(gate, -up)
    gate = (gate + (1 << 15)) >> 1
    product = torch.div(gate * high_product(high, to_output, 15), 1 << 15, rounding_mode="trunc")
    return halved(product << max(down, 0), max(-down, 0))


def _prelu(step: Step, x: list[Tensor], params: list[Params], out: Params) -> Tensor:
    """TensorFlow Lite's own kernel: fixed point of 31 bits. Its table: (channels, -255 … 255 steps)."""
    scale, slope = params[0].scale / out.scale, params[0].scale * params[1].scale / out.scale
    one, other, made = (_number(each.scale) for each in (*params, out))
    u, slopes = torch.arange(-STEPS, STEPS + 1, device=x[0].device), x[1].detach().long().reshape(-1, 1)
    table = torch.where(u < 0, multiplied(u * slopes, one * other / made), multiplied(u, one / made))
    if slopes.numel() not in (1, x[0].shape[-1]):
        raise step.unsimulated("a slope for each pixel")
    rows = torch.arange(slopes.numel(), device=u.device) * u.numel() + STEPS  # where each channel has its zero
    exact = table.flatten()[x[0].detach().long() + rows]
    return out.clamped(straight_through(torch.where(x[0] < 0, x[0] * x[1] * slope, x[0] * scale), exact))


def _scaled(step: Step, x: list[Tensor], params: list[Params], out: Params) -> Tensor:
    """XNNPACK, to another scale, negative values with a factor of their own: each factor in 256ths, halves up."""
    ratio = params[0].scale / out.scale
    below = slope(step) if step.kind == "LEAKY_RELU" else 1.0
    one, other = (round(_number(ratio) * factor * 256) for factor in (1.0, below))
    u = x[0].detach().int()
    exact = (u * torch.where(u < 0, other, one) + 128) >> 8
    return out.clamped(straight_through(torch.where(x[0] < 0, x[0] * below, x[0]) * ratio, exact))


def _bilinear(step: Step, x: list[Tensor], params: list[Params], out: Params) -> Tensor:
    made = bilinear(step, x)
    return straight_through(made, (made.detach() + 0.5).floor())  # one scale for both: XNNPACK rounds halves up


def _average_pool(step: Step, x: list[Tensor], params: list[Params], out: Params) -> Tensor:
    made = average_pool(step, x)  # one scale for both
    stored = made.detach() + out.zero_point.detach()
    exact = stored.sign() * (stored.abs() + 0.5).floor()  # halves away from the stored zero, not the real one
    return out.clamped(straight_through(made, exact - out.zero_point.detach()))


INTEGERS: dict[str, Integer] = {
    "ADD": _addition,
    "SUB": _addition,
    "MUL": _product,
    "MEAN": _mean,
    "HARD_SWISH": _hard_swish,
    "PRELU": _prelu,
    "LEAKY_RELU": _scaled,
    "QUANTIZE": _scaled,
    "RESIZE_BILINEAR": _bilinear,
    "AVERAGE_POOL_2D": _average_pool,
}
