"""Small networks with what makes pruning hard: each has one thing whose channels must be followed, or left alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv(inputs: int, outputs: int, size: int = 3, **kwargs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, **kwargs)


class Around(nn.Module):
    """A head, a middle of another kind and a tail, on top of the picture."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.z = conv(3, 16), conv(16, 16), conv(16, 3)
        self.build()

    def build(self) -> None: ...

    def middle(self, y: Tensor) -> Tensor:
        return self.b(y)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.z(self.middle(F.relu(self.a(x))))


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


class Parametric(Around):
    def build(self) -> None:
        self.r, self.s = nn.PReLU(16), nn.PReLU()

    def middle(self, y: Tensor) -> Tensor:
        return self.s(self.r(self.b(y)))


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


class Transposed(Around):
    def build(self) -> None:
        self.d, self.u = conv(16, 32, stride=2), nn.ConvTranspose2d(32, 16, 2, 2)

    def middle(self, y: Tensor) -> Tensor:
        return self.b(y + F.relu(self.u(F.relu(self.d(y)))))


class ByNumber(Around):
    """Channels taken by numbers that stand in the code."""

    def build(self) -> None:
        self.c, self.d = conv(16, 32), conv(32, 16)

    def middle(self, y: Tensor) -> Tensor:
        y = self.b(y)
        return self.d(F.relu(self.c(torch.cat([y[:, 8:16], y[:, :8]], 1))))


class PixelHead(Around):
    """A picture out of a shuffle: the last convolution is no picture yet."""

    def build(self) -> None:
        self.z = nn.Sequential(conv(16, 16, stride=2), conv(16, 12), nn.PixelShuffle(2))


KINDS = {
    kind.__name__: kind
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, Around) and kind is not Around
}
