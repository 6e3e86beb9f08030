"""Convolutions of every kind, shuffles, and weights that their class normalises."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from tests.stages.prunable.around import Around, conv


class Shuffle(Around):
    def build(self) -> None:
        self.d, self.p = conv(16, 16, stride=2), conv(16, 64)

    def middle(self, y: Tensor) -> Tensor:
        return F.relu(self.b(F.pixel_shuffle(self.p(self.d(y)), 2)))


class Unshuffle(Around):
    def build(self) -> None:
        self.down, self.c, self.up = nn.PixelUnshuffle(2), conv(64, 64), nn.PixelShuffle(2)

    def middle(self, y: Tensor) -> Tensor:
        return self.b(self.up(F.relu(self.c(self.down(y)))))


class WeightNorm(Around):
    def build(self) -> None:
        self.b = nn.utils.parametrizations.weight_norm(self.b)


class OldWeightNorm(Around):
    def build(self) -> None:
        self.b = nn.utils.weight_norm(self.b)


class SpectralNorm(Around):
    def build(self) -> None:
        self.b = nn.utils.parametrizations.spectral_norm(self.b)


class Grouped(Around):
    def build(self) -> None:
        self.c = conv(16, 32, groups=4)
        self.d = conv(32, 16, 1)

    def middle(self, y: Tensor) -> Tensor:
        return self.d(F.relu(self.c(self.b(y))))


class DepthwiseTransposed(Around):
    def build(self) -> None:
        self.d, self.u = conv(16, 16, stride=2), nn.ConvTranspose2d(16, 16, 4, 2, 1, groups=16)

    def middle(self, y: Tensor) -> Tensor:
        return self.b(F.relu(self.u(F.relu(self.d(y)))))


class GroupedTransposed(DepthwiseTransposed):
    def build(self) -> None:
        self.d, self.u = conv(16, 16, stride=2), nn.ConvTranspose2d(16, 16, 4, 2, 1, groups=4)


class Depthwise(Around):
    def build(self) -> None:
        self.w = conv(16, 16, groups=16)

    def middle(self, y: Tensor) -> Tensor:
        return self.b(F.relu(self.w(y)))


class Multiplier(Around):
    def build(self) -> None:
        self.w, self.q = conv(16, 32, groups=16), conv(32, 16, 1)

    def middle(self, y: Tensor) -> Tensor:
        return F.relu(self.q(self.w(y)))


class Transposed(Around):
    def build(self) -> None:
        self.d, self.u = conv(16, 32, stride=2), nn.ConvTranspose2d(32, 16, 2, 2)

    def middle(self, y: Tensor) -> Tensor:
        return self.b(y + F.relu(self.u(F.relu(self.d(y)))))


class PixelHead(Around):
    """A picture out of a shuffle: the last convolution is no picture yet."""

    def build(self) -> None:
        self.z = nn.Sequential(conv(16, 16, stride=2), conv(16, 12), nn.PixelShuffle(2))
