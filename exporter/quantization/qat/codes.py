"""The codes of an int8 file's activations, as parameters: how far each range is stretched at either end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from exporter.quantization.qat.integers import HIGHEST, LOWEST, SMALLEST_SPAN, STEPS, Code
from exporter.quantization.qat.rounding import rounded

PACE = 50.0  # a range moves by this many times the learning rate, relative to itself, in a step of Adam


@dataclass(frozen=True)
class CodedTensor:
    """One int8 activation of the file, by its number; tensors of the same `shared` have one code."""

    tensor: int
    shared: int
    free: bool  # its range may be trained
    pinned: bool = False  # its code is dictated, and follows from no range


class SharedCodes(nn.Module):
    """Learned ranges; each end stays on its side of zero.

    Esser et al., "Learned Step Size Quantization", ICLR 2020; both ends as in Bhalgat et al., "LSQ+", CVPRW 2020.
    """

    low: Tensor
    high: Tensor
    scale: Tensor
    zero_point: Tensor
    pinned: Tensor
    free: Tensor

    def __init__(self, tensors: Sequence[CodedTensor], known: Mapping[int, tuple[float, int]]) -> None:
        """`known`: scale and zero point of every tensor."""
        super().__init__()
        sets = {coded.shared: coded for coded in tensors}
        self.place = {shared: number for number, shared in enumerate(sets)}
        self.set_of = {coded.tensor: self.place[coded.shared] for coded in tensors}
        codes = [known[coded.tensor] for coded in sets.values()]
        scale = torch.tensor([scale for scale, _ in codes], dtype=torch.float32)
        zero = torch.tensor([zero for _, zero in codes], dtype=torch.float32)
        self.register_buffer("scale", scale)
        self.register_buffer("zero_point", zero)
        self.register_buffer("low", (LOWEST - zero) * scale)
        self.register_buffer("high", (HIGHEST - zero) * scale)
        self.register_buffer("pinned", torch.tensor([coded.pinned for coded in sets.values()], dtype=torch.bool))
        self.register_buffer("free", torch.tensor([coded.free for coded in sets.values()], dtype=torch.bool))
        self.stretch = nn.Parameter(torch.zeros(2, len(codes)))

    def ranges(self) -> tuple[Tensor, Tensor]:
        """Low and high end of each set, float32 as a file keeps them."""
        factor = torch.exp(PACE * self.stretch * self.free)
        return self.low * factor[0], self.high * factor[1]

    def forward(self) -> dict[int, Code]:
        """The code of every tensor: that of exporter.quantization.params over its range."""
        low, high = (end.double() for end in self.ranges())
        scale, zero = _affine(low, high)
        scale = torch.where(self.pinned, self.scale, scale.float())
        zero = torch.where(self.pinned, self.zero_point, zero.float())
        return {tensor: Code(scale[place], zero[place]) for tensor, place in self.set_of.items()}


def _affine(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Affine.of_range over float64 ranges with low ≤ 0 ≤ high, operation for operation, with gradients."""
    span = (high - low).clamp_min(SMALLEST_SPAN)
    zero = rounded(LOWEST - low * STEPS / span).clamp(LOWEST, HIGHEST)
    up, down = HIGHEST - zero.detach(), LOWEST - zero.detach()  # steps between zero and the ends
    above = torch.where(up > 0, high / up.clamp_min(1), torch.zeros_like(high))
    below = torch.where(down < 0, low / down.clamp_max(-1), torch.zeros_like(low))
    return torch.maximum(above, below).clamp_min(SMALLEST_SPAN / STEPS), zero
