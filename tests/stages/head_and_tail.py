"""Small networks of a head, a tail, and one thing between them that conversion or quantisation must get right."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class HeadAndTail(nn.Module):
    """x and a share of what a tail makes of the middle of what a head makes of x, cut to 0..1."""

    width, share = 8, 0.1

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Conv2d(3, self.width, 3, padding=1)
        self.tail = nn.Conv2d(self.width, 3, 3, padding=1)
        self.build()

    def build(self) -> None:
        """What the middle needs beside."""

    def middle(self, y: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return torch.clamp(x + self.share * self.tail(self.middle(self.head(x))), 0, 1)


class OwnKernels(HeadAndTail):
    """Each plane is convolved with a kernel that the picture itself gives."""

    share = 0.2

    def middle(self, y: Tensor) -> Tensor:
        kernels = F.adaptive_avg_pool2d(y, 3).view(8, 1, 3, 3).softmax(-1)
        return F.conv2d(y, kernels, padding=1, groups=8)


class GroupedUp(HeadAndTail):
    """A transposed convolution in groups, and a padded maximum."""

    share = 0.2

    def build(self) -> None:
        self.up = nn.ConvTranspose2d(8, 8, 4, stride=2, padding=1, groups=4)

    def middle(self, y: Tensor) -> Tensor:
        return self.up(F.max_pool2d(y, 3, 2, 1))


class Lifted(HeadAndTail):
    """A clamp that excludes zero, and a product with a batch of constants."""

    share = 0.2

    def build(self) -> None:
        self.mix = nn.Parameter(torch.eye(80).repeat(8, 1, 1) + 0.02 * torch.randn(8, 80, 80))

    def middle(self, y: Tensor) -> Tensor:
        return y.clamp(min=0.25) @ self.mix


class BatchOfOne(HeadAndTail):
    """A product with one stored matrix in a batch of one (KBNet)."""

    def build(self) -> None:
        self.mix = nn.Parameter(torch.eye(8)[None] * torch.logspace(-1, 1, 8) + 0.02 * torch.randn(1, 8, 8))

    def middle(self, y: Tensor) -> Tensor:
        return (y.flatten(2).transpose(1, 2) @ self.mix).transpose(1, 2).reshape(y.shape)


class Attention(HeadAndTail):
    """Every pixel of a small picture beside every other: the shares are a few thousandths each."""

    def middle(self, y: Tensor) -> Tensor:
        z = F.avg_pool2d(y, 8)
        rows = z.flatten(2).transpose(1, 2).unsqueeze(1)
        mixed = F.scaled_dot_product_attention(rows, rows, rows).squeeze(1).transpose(1, 2).reshape(z.shape)
        return F.interpolate(mixed, scale_factor=8)


class TimesMean(HeadAndTail):
    """Features times the mean of their channels: an operand that no quantised node makes."""

    share = 1.0

    def middle(self, y: Tensor) -> Tensor:
        return y * y.mean(1, keepdim=True)


class ComputedWeights(HeadAndTail):
    """A convolution whose weights the picture decides."""

    width, share = 16, 1.0

    def build(self) -> None:
        self.kernels = nn.Linear(16, 16 * 9)

    def middle(self, y: Tensor) -> Tensor:
        weights = self.kernels(y.mean((2, 3))).view(16, 1, 3, 3).softmax(-1)
        return F.conv2d(y, weights, padding=1, groups=16)


class Normed(HeadAndTail):
    """A kind of normalisation between head and tail."""

    share = 0.03
    norm: nn.Module

    def middle(self, y: Tensor) -> Tensor:
        return self.norm(y)


class InstanceNormed(Normed):
    def build(self) -> None:
        self.norm = nn.InstanceNorm2d(8, affine=True)


class GroupNormed(Normed):
    def build(self) -> None:
        self.norm = nn.GroupNorm(2, 8)


class HalfNormed(Normed):
    """Half of the channels normalised (HINet)."""

    def build(self) -> None:
        self.norm = nn.InstanceNorm2d(4, affine=True)

    def middle(self, y: Tensor) -> Tensor:
        first, second = torch.chunk(y, 2, 1)
        return torch.cat([self.norm(first), second], 1)


class ChannelNormed(Normed):
    """Layer norm over channels, written out (NAFNet)."""

    def middle(self, y: Tensor) -> Tensor:
        mean = y.mean(1, keepdim=True)
        return (y - mean) / ((y - mean).pow(2).mean(1, keepdim=True) + 1e-6).sqrt()


class MomentNormed(Normed):
    """The variance as mean of squares less square of the mean."""

    def middle(self, y: Tensor) -> Tensor:
        mean, squares = y.mean((2, 3), keepdim=True), (y * y).mean((2, 3), keepdim=True)
        return (y - mean) * torch.rsqrt(squares - mean * mean + 1e-4)


class StdNormed(Normed):
    def middle(self, y: Tensor) -> Tensor:
        return (y - y.mean((2, 3), keepdim=True)) / (y.std((2, 3), keepdim=True) + 1e-4)


NORMED = [kind.__name__ for kind in Normed.__subclasses__()]
