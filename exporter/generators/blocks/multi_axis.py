"""The gated MLPs of MAXIM, which mix pixels along two axes: inside blocks, and across a grid over the whole picture.

Maps are (N, H, W, C) here, and no tensor is above rank 4. Tu et al., "MAXIM: Multi-Axis MLP for Image Processing",
CVPR 2022; the spatial gate is that of Liu et al., "Pay Attention to MLPs", NeurIPS 2021.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def norm(channels: int) -> nn.LayerNorm:
    """Over the channels of each pixel, with JAX's epsilon."""
    return nn.LayerNorm(channels, eps=1e-6)


def gelu(x: Tensor) -> Tensor:
    """JAX's GELU, which is the tanh form."""
    return F.gelu(x, approximate="tanh")


def gelu_halves(x: Tensor, dense: nn.Linear) -> tuple[Tensor, Tensor]:
    """The two halves of GELU(dense(x)), made one by one: halves of one map would have to be copied apart."""
    (w1, w2), (b1, b2) = dense.weight.chunk(2), dense.bias.chunk(2)
    return gelu(F.linear(x, w1, b1)), gelu(F.linear(x, w2, b2))


def mix(x: Tensor, dense: nn.Linear, side: int, across: bool) -> Tensor:
    """(N, H, W, C) to the same: `dense` along side² pixels, of each channel by itself.

    They are the pixels of a block of side × side px, or (`across`) those at the same place in each cell of a
    side × side grid over the picture.
    """
    n, h, w, c = (int(length) for length in x.shape)
    height, width = (h // side, w // side) if across else (side, side)
    rows = x.reshape(n * h // height, height, w // width, width * c).transpose(1, 2)
    tokens = rows.reshape(-1, side * side, height * width * c if across else c)
    mixed = dense.weight[None] @ tokens + dense.bias[:, None]  # [None]: else torch transposes the tokens, a copy
    rows = mixed.reshape(n * h // height, w // width, height, width * c).transpose(1, 2)
    return rows.reshape(n, h, w, c)


class _Gate(nn.Module):
    """Second argument, mixed, times the first."""

    def __init__(self, channels: int, side: int, across: bool) -> None:
        super().__init__()
        self.side, self.across = side, across
        self.intermediate_layernorm = norm(channels)
        self.Dense_0 = nn.Linear(side * side, side * side)

    def forward(self, u: Tensor, v: Tensor) -> Tensor:
        return u * (mix(self.intermediate_layernorm(v), self.Dense_0, self.side, self.across) + 1)


class _Gmlp(nn.Module):
    """A gated MLP along one axis; keys `BlockGatingUnit` or `GridGatingUnit`."""

    def __init__(self, channels: int, side: int, across: bool) -> None:
        super().__init__()
        self.LayerNorm = norm(channels)
        self.in_project = nn.Linear(channels, 2 * channels)
        self.gate_name = "GridGatingUnit" if across else "BlockGatingUnit"
        self.add_module(self.gate_name, _Gate(channels, side, across))
        self.out_project = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        u, v = gelu_halves(self.LayerNorm(x), self.in_project)
        y: Tensor = self.out_project(self.get_submodule(self.gate_name)(u, v))
        return x + y


class MultiAxisMlp(nn.Module):
    """Half of the channels mixed across the grid, the other half inside blocks; residual."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.LayerNorm_in = norm(channels)
        self.in_project = nn.Linear(channels, 2 * channels)
        self.GridGmlpLayer = _Gmlp(channels, side, across=True)
        self.BlockGmlpLayer = _Gmlp(channels, side, across=False)
        self.out_project = nn.Linear(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        u, v = gelu_halves(self.LayerNorm_in(x), self.in_project)
        y: Tensor = self.out_project(torch.cat([self.GridGmlpLayer(u), self.BlockGmlpLayer(v)], -1))
        return x + y


class _GatingWeights(nn.Module):
    """What one map multiplies the other with."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.LayerNorm_in = norm(channels)
        self.in_project = nn.Linear(channels, 2 * channels)
        self.Dense_0 = nn.Linear(side * side, side * side)
        self.Dense_1 = nn.Linear(side * side, side * side)
        self.out_project = nn.Linear(2 * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        u, v = gelu_halves(self.LayerNorm_in(x), self.in_project)
        mixed = mix(u, self.Dense_0, self.side, across=True), mix(v, self.Dense_1, self.side, across=False)
        y: Tensor = self.out_project(torch.cat(mixed, -1))
        return y


class CrossGating(nn.Module):
    """Two maps, x of `inputs` and y of `signals` channels, that gate each other; both come back with `channels`.

    upsample  y is half the size of x
    """

    def __init__(self, channels: int, side: int, inputs: int, signals: int, upsample: bool = False) -> None:
        super().__init__()
        self.ConvTranspose_0 = nn.ConvTranspose2d(signals, channels, 2, 2) if upsample else None
        self.Conv_0 = nn.Linear(inputs, channels)
        self.Conv_1 = nn.Linear(channels if upsample else signals, channels)
        for axis in "xy":
            self.add_module(f"LayerNorm_{axis}", norm(channels))
            self.add_module(f"in_project_{axis}", nn.Linear(channels, channels))
            self.add_module(f"SplitHeadMultiAxisGating_{axis}", _GatingWeights(channels, side))
            self.add_module(f"out_project_{axis}", nn.Linear(channels, channels))

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        part = self.get_submodule
        if self.ConvTranspose_0 is not None:
            y = convolve(self.ConvTranspose_0, y)
        x, y = self.Conv_0(x), self.Conv_1(y)
        inner_x = gelu(part("in_project_x")(part("LayerNorm_x")(x)))
        inner_y = gelu(part("in_project_y")(part("LayerNorm_y")(y)))
        y = y + part("out_project_y")(inner_y * part("SplitHeadMultiAxisGating_x")(inner_x))
        x = x + part("out_project_x")(inner_x * part("SplitHeadMultiAxisGating_y")(inner_y)) + y
        return x, y


def convolve(layer: nn.Module, x: Tensor) -> Tensor:
    """A convolution on (N, H, W, C); the permuted map is what torch calls channels_last, so nothing is copied."""
    y: Tensor = layer(x.permute(0, 3, 1, 2))
    return y.permute(0, 2, 3, 1)
