"""Channels that are split, joined, moved, multiplied or attended to."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.stages.prunable.around import Around, conv


class Gate(Around):
    def build(self) -> None:
        self.c = conv(16, 32)

    def middle(self, y: Tensor) -> Tensor:
        one, other = self.c(y).chunk(2, 1)
        return self.b(one * other)


class UnevenSplit(Around):
    def build(self) -> None:
        self.c, self.d = conv(16, 32), conv(24, 24)

    def middle(self, y: Tensor) -> Tensor:
        left, right = torch.split(self.c(y), [8, 24], 1)
        return self.b(torch.cat([left[:, :4], self.d(right)[:, :12]], 1))


class Twice(Around):
    """One layer at two places."""

    def middle(self, y: Tensor) -> Tensor:
        return self.b(F.relu(self.b(y)))


class Attention(Around):
    def build(self) -> None:
        self.m = nn.MultiheadAttention(16, 4, batch_first=True)

    def middle(self, y: Tensor) -> Tensor:
        n, c, h, w = y.shape
        tokens = F.avg_pool2d(self.b(y), 8).flatten(2).transpose(1, 2)
        mixed = self.m(tokens, tokens, tokens, need_weights=False)[0].transpose(1, 2).reshape(n, c, h // 8, w // 8)
        return y + F.interpolate(mixed, scale_factor=8)


class OwnAttention(Around):
    """Linear layers and heads by reshaping with numbers of the class's own."""

    def build(self) -> None:
        self.dim, self.heads = 16, 4
        self.qkv, self.o = nn.Linear(16, 48), nn.Linear(16, 16)

    def middle(self, y: Tensor) -> Tensor:
        n, _, h, w = y.shape
        tokens = F.avg_pool2d(self.b(y), 8).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(tokens).reshape(n, -1, 3, self.heads, self.dim // self.heads).permute(2, 0, 3, 1, 4)
        mixed = self.o((F.softmax(q @ k.transpose(-1, -2), -1) @ v).transpose(1, 2).reshape(n, -1, self.dim))
        return y + F.interpolate(mixed.transpose(1, 2).reshape(n, self.dim, h // 8, w // 8), scale_factor=8)


class Mlp(Around):
    def build(self) -> None:
        self.up, self.down = nn.Linear(16, 64), nn.Linear(64, 16)

    def middle(self, y: Tensor) -> Tensor:
        return self.b(y) + self.down(F.gelu(self.up(y.permute(0, 2, 3, 1)))).permute(0, 3, 1, 2)


class SqueezeExcite(Around):
    def build(self) -> None:
        self.s, self.e = nn.Linear(16, 8), nn.Linear(8, 16)

    def middle(self, y: Tensor) -> Tensor:
        y = self.b(y)
        n, c, _, _ = y.shape
        weights = self.e(F.relu(self.s(y.mean((2, 3)).view(n, c)))).sigmoid()
        return y * weights.view(n, c, 1, 1)


class SpatialAttention(Around):
    """One map for all channels."""

    def build(self) -> None:
        self.m, self.c = conv(2, 1, 7), conv(16, 32)
        self.d = conv(32, 16)

    def middle(self, y: Tensor) -> Tensor:
        maps = self.m(torch.cat([y.mean(1, keepdim=True), y.amax(1, keepdim=True)], 1))
        return self.d(F.relu(self.c(self.b(y) * maps.sigmoid())))


class Dense(Around):
    def build(self) -> None:
        self.c, self.d = conv(16, 8), conv(24, 8)
        self.fuse = conv(32, 16, 1)

    def middle(self, y: Tensor) -> Tensor:
        one = F.relu(self.c(y))
        two = F.relu(self.d(torch.cat([y, one], 1)))
        return self.b(self.fuse(torch.cat([y, one, two], 1)) + y)


class ChannelShuffle(Around):
    def build(self) -> None:
        self.c, self.d = conv(16, 16, groups=2), conv(16, 16, 1, groups=2)

    def middle(self, y: Tensor) -> Tensor:
        n, c, h, w = (y := F.relu(self.c(y))).shape
        return self.b(self.d(y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)))


class Flipped(Around):
    def build(self) -> None:
        self.c, self.d = conv(16, 32), conv(32, 16)

    def middle(self, y: Tensor) -> Tensor:
        return self.d(F.relu(self.c(self.b(y).flip(1).roll(3, 1))))


class ByNumber(Around):
    """Channels taken by numbers that stand in the code."""

    def build(self) -> None:
        self.c, self.d = conv(16, 32), conv(32, 16)

    def middle(self, y: Tensor) -> Tensor:
        y = self.b(y)
        return self.d(F.relu(self.c(torch.cat([y[:, 8:16], y[:, :8]], 1))))
