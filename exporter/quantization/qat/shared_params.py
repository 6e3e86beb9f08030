"""Scales and zero points of an int8 file's activations, trained: how far each range is stretched at either end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from exporter.quantization.params import HIGHEST, LOWEST, SMALLEST_SPAN, STEPS, Affine
from exporter.quantization.qat.integers import Params
from exporter.quantization.qat.rounding import rounded
from exporter.quantization.tflite.conversions import Int8Tensor

PACE = 50.0  # a range moves by this many times the learning rate, relative to itself, in a step of Adam


class SharedParams(nn.Module):
    """Learned ranges; each end stays on its side of zero.

    Esser et al., "Learned Step Size Quantization", ICLR 2020; both ends as in Bhalgat et al., "LSQ+", CVPRW 2020.
    """

    low: Tensor
    high: Tensor
    scale: Tensor
    zero_point: Tensor
    pinned: Tensor
    free: Tensor

    def __init__(self, tensors: Sequence[Int8Tensor], known: Mapping[int, Affine]) -> None:
        """`known`: what every tensor has now."""
        super().__init__()
        groups = {each.group: each for each in tensors}
        self.place = {group: number for number, group in enumerate(groups)}
        self.group_of = {each.tensor: self.place[each.group] for each in tensors}
        params = [known[each.tensor] for each in groups.values()]
        scale = torch.tensor([each.scale for each in params], dtype=torch.float32)
        zero = torch.tensor([each.zero_point for each in params], dtype=torch.float32)
        self.register_buffer("scale", scale)
        self.register_buffer("zero_point", zero)
        self.register_buffer("low", (LOWEST - zero) * scale)
        self.register_buffer("high", (HIGHEST - zero) * scale)
        self.register_buffer(
            "pinned", torch.tensor([each.pinned is not None for each in groups.values()], dtype=torch.bool)
        )
        self.register_buffer("free", torch.tensor([each.free for each in groups.values()], dtype=torch.bool))
        self.stretch = nn.Parameter(torch.zeros(2, len(params)))

    def ranges(self) -> tuple[Tensor, Tensor]:
        """Low and high end of each group, float32 as a file keeps them."""
        factor = torch.exp(PACE * self.stretch * self.free)
        return self.low * factor[0], self.high * factor[1]

    def forward(self) -> dict[int, Params]:
        """Of every tensor: those of exporter.quantization.params over its range."""
        low, high = (end.double() for end in self.ranges())
        scale, zero = _affine(low, high)
        scale = torch.where(self.pinned, self.scale, scale.float())
        zero = torch.where(self.pinned, self.zero_point, zero.float())
        return {tensor: Params(scale[place], zero[place]) for tensor, place in self.group_of.items()}


def _affine(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Affine.of_range over float64 ranges with low ≤ 0 ≤ high, operation for operation, with gradients."""
    span = (high - low).clamp_min(SMALLEST_SPAN)
    zero = rounded(LOWEST - low * STEPS / span).clamp(LOWEST, HIGHEST)
    up, down = HIGHEST - zero.detach(), LOWEST - zero.detach()  # steps between zero and the ends
    above = torch.where(up > 0, high / up.clamp_min(1), torch.zeros_like(high))
    below = torch.where(down < 0, low / down.clamp_max(-1), torch.zeros_like(low))
    return torch.maximum(above, below).clamp_min(SMALLEST_SPAN / STEPS), zero
