"""Norms, gains and other parameters one for every channel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.stages.prunable.around import Around, conv


class InstanceNorm(Around):
    def build(self) -> None:
        self.n = nn.InstanceNorm2d(16, affine=True)

    def middle(self, y: Tensor) -> Tensor:
        return F.relu(self.n(self.b(y)))


class BareInstanceNorm(InstanceNorm):
    def build(self) -> None:
        self.n = nn.InstanceNorm2d(16)


class TrackedInstanceNorm(InstanceNorm):
    def build(self) -> None:
        self.n = nn.InstanceNorm2d(16, affine=True, track_running_stats=True)


class BareBatchNorm(InstanceNorm):
    def build(self) -> None:
        self.n = nn.BatchNorm2d(16, affine=False)


class Groups(InstanceNorm):
    def build(self) -> None:
        self.n = nn.GroupNorm(4, 16)


class BareGroups(InstanceNorm):
    def build(self) -> None:
        self.n = nn.GroupNorm(4, 16, affine=False)


class LayerNorm2d(nn.Module):
    """Over channels, with weights (C, 1, 1) and a bias (C,), as NAFNet's and others'."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(channels, 1, 1) + 0.5)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, y: Tensor) -> Tensor:
        mean = y.mean(1, keepdim=True)
        variance = (y - mean).pow(2).mean(1, keepdim=True)
        return self.weight * (y - mean) / (variance + 1e-6).sqrt() + self.bias[:, None, None]


class ChannelNorm(InstanceNorm):
    def build(self) -> None:
        self.n = LayerNorm2d(16)


class PermutedLayerNorm(Around):
    def build(self) -> None:
        self.n = nn.LayerNorm(16)

    def middle(self, y: Tensor) -> Tensor:
        return self.n(self.b(y).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Gain(Around):
    def build(self) -> None:
        self.g = nn.Parameter(torch.rand(1, 16, 1, 1))

    def middle(self, y: Tensor) -> Tensor:
        return self.b(y) * self.g


class Gains(Around):
    """Parameters in lists within lists."""

    def build(self) -> None:
        self.g = nn.ModuleList([nn.ParameterList([nn.Parameter(torch.rand(16, 1, 1)), nn.Parameter(torch.ones(1))])])

    def middle(self, y: Tensor) -> Tensor:
        return y * self.g[0][0] + self.b(y) * self.g[0][1]


class OwnKernel(Around):
    """A convolution whose weights are a parameter of the network's own."""

    def build(self) -> None:
        self.k = nn.Parameter(torch.rand(16, 16, 3, 3) * 0.1)

    def middle(self, y: Tensor) -> Tensor:
        return self.b(F.relu(F.conv2d(y, self.k, padding=1)))


class FixedBlur(Around):
    """A buffer that is a kernel for every channel."""

    def build(self) -> None:
        self.c = conv(16, 32)
        self.d = conv(32, 16)
        self.register_buffer("blur", torch.ones(16, 1, 3, 3) / 9)

    def middle(self, y: Tensor) -> Tensor:
        return self.d(F.relu(self.c(F.conv2d(self.b(y), self.blur, padding=1, groups=16))))


class Parametric(Around):
    def build(self) -> None:
        self.r, self.s = nn.PReLU(16), nn.PReLU()

    def middle(self, y: Tensor) -> Tensor:
        return self.s(self.r(self.b(y)))
