"""Each kind of attention that restoration networks are made of, small, as published code writes it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Around(nn.Module):
    """A convolution before and one behind what a subclass does with the `channels` between them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Conv2d(3, channels, 3, padding=1), nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        features = self.first(x)
        return x + self.last(features + self.attend(features))

    def attend(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class ShiftedWindows(Around):
    """Swin: windows of 8 × 8, shifted by a roll, a mask for what does not belong together, a table for each head."""

    def __init__(self, heads: int = 3, width: int = 8, shift: int = 4) -> None:
        super().__init__(heads * 8)
        self.heads, self.width, self.shift = heads, width, shift
        self.norm, self.qkv, self.proj = (
            nn.LayerNorm(heads * 8),
            nn.Linear(heads * 8, heads * 24),
            nn.Linear(heads * 8, heads * 8),
        )
        self.table = nn.Parameter(torch.randn(heads, width**2, width**2))

    def attend(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        n, side = self.width**2, self.width
        y = torch.roll(self.norm(x.flatten(2).transpose(1, 2)).view(b, h, w, c), (-self.shift, -self.shift), (1, 2))
        y = y.view(b, h // side, side, w // side, side, c).permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, n, c)
        q, k, v = self.qkv(y).reshape(-1, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        scores = (q * 8**-0.5) @ k.transpose(-2, -1) + self.table.unsqueeze(0)
        mask = self.mask(h, w)
        scores = scores.view(-1, len(mask), self.heads, n, n) + mask.unsqueeze(1).unsqueeze(0)
        y = (scores.view(-1, self.heads, n, n).softmax(-1) @ v).transpose(1, 2).reshape(-1, n, c)
        y = (
            self.proj(y)
            .view(b, h // side, w // side, side, side, c)
            .permute(0, 1, 3, 2, 4, 5)
            .contiguous()
            .view(b, h, w, c)
        )
        return torch.roll(y, (self.shift, self.shift), (1, 2)).flatten(1, 2).transpose(1, 2).view(b, c, h, w)

    def mask(self, h: int, w: int) -> Tensor:
        part = torch.zeros(h, w)
        for number, rows in enumerate((slice(0, -8), slice(-8, -4), slice(-4, None))):
            for other, columns in enumerate((slice(0, -8), slice(-8, -4), slice(-4, None))):
                part[rows, columns] = 3 * number + other
        parts = part.view(h // 8, 8, w // 8, 8).permute(0, 2, 1, 3).reshape(-1, 64)
        return (parts[:, None] != parts[:, :, None]).float() * -100


class Channels(Around):
    """Restormer: every channel of a head looks at every other one, over all pixels."""

    def __init__(self, heads: int = 4) -> None:
        super().__init__(heads * 6)
        self.heads, self.temperature = heads, nn.Parameter(1 + torch.rand(heads, 1, 1))
        self.qkv, self.depthwise = (
            nn.Conv2d(heads * 6, heads * 18, 1),
            nn.Conv2d(heads * 18, heads * 18, 3, padding=1, groups=heads * 18),
        )

    def attend(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        q, k, v = (part.reshape(b, self.heads, -1, h * w) for part in self.depthwise(self.qkv(x)).chunk(3, dim=1))
        q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
        return (((q @ k.transpose(-2, -1)) * self.temperature).softmax(dim=-1) @ v).reshape(b, c, h, w)


class Strips(Around):
    """Stripformer: within rows, and within columns, each of half the channels."""

    def __init__(self, heads: int = 2) -> None:
        super().__init__(heads * 16)
        self.heads, self.rows, self.columns = heads, nn.Linear(heads * 8, heads * 24), nn.Linear(heads * 8, heads * 24)

    def attend(self, x: Tensor) -> Tensor:
        left, right = x.chunk(2, 1)
        along = self.within(left.permute(0, 2, 3, 1), self.rows).permute(0, 3, 1, 2)
        return torch.cat([along, self.within(right.permute(0, 3, 2, 1), self.columns).permute(0, 3, 2, 1)], 1)

    def within(self, x: Tensor, qkv: nn.Linear) -> Tensor:
        b, lines, n, c = x.shape
        parts = qkv(x.reshape(b * lines, n, c)).chunk(3, -1)
        q, k, v = (part.view(b * lines, n, self.heads, -1).transpose(1, 2) for part in parts)
        y = ((q @ k.transpose(-2, -1)) / 8**0.5).softmax(-1) @ v
        return y.transpose(1, 2).reshape(b, lines, n, c)


class Across(Around):
    """What one branch asks, another answers: queries of the full picture, keys and values of a coarse one."""

    def __init__(self, heads: int = 2) -> None:
        super().__init__(heads * 8)
        self.heads, self.coarse = heads, nn.Conv2d(heads * 8, heads * 8, 4, 4)
        self.q, self.kv = nn.Linear(heads * 8, heads * 8), nn.Linear(heads * 8, heads * 16)

    def attend(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        tokens, few = (picture.flatten(2).transpose(1, 2) for picture in (x, self.coarse(x)))
        q = self.q(tokens).view(b, -1, self.heads, 8).transpose(1, 2)
        k, v = self.kv(few).view(b, -1, 2, self.heads, 8).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v)
        return y.transpose(1, 2).reshape(b, -1, c).transpose(1, 2).view(b, c, h, w)


class Overlapping(Around):
    """HAT: windows of 8 × 8 ask windows of 12 × 12 that overlap."""

    def __init__(self, heads: int = 2) -> None:
        super().__init__(heads * 6)
        self.heads, self.qkv, self.unfold = heads, nn.Linear(heads * 6, heads * 18), nn.Unfold(12, stride=8, padding=2)

    def attend(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        qkv = self.qkv(x.permute(0, 2, 3, 1)).view(b, h, w, 3, c).permute(3, 0, 4, 1, 2)
        q = qkv[0].permute(0, 2, 3, 1).view(b, h // 8, 8, w // 8, 8, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 64, c)
        kv = (
            self.unfold(torch.cat((qkv[1], qkv[2]), 1))
            .view(b, 2, c, 144, -1)
            .permute(1, 0, 4, 3, 2)
            .reshape(2, -1, 144, c)
        )
        q, k, v = (
            part.reshape(part.shape[0], -1, self.heads, c // self.heads).permute(0, 2, 1, 3)
            for part in (q, kv[0], kv[1])
        )
        y = ((q @ k.transpose(-2, -1)).softmax(-1) @ v).transpose(1, 2).reshape(-1, 64, c)
        y = y.view(b, h // 8, w // 8, 8, 8, c).permute(0, 1, 3, 2, 4, 5).reshape(b, h, w, c)
        return y.permute(0, 3, 1, 2)


class Axes(Around):
    """Along rows, then along columns, all heads' channels together (axial attention, one head)."""

    def __init__(self) -> None:
        super().__init__(12)
        self.rows, self.columns = nn.Linear(12, 36), nn.Linear(12, 36)

    def attend(self, x: Tensor) -> Tensor:
        y = self.along(x.permute(0, 2, 3, 1), self.rows)
        return self.along(y.transpose(1, 2), self.columns).permute(0, 3, 2, 1)

    def along(self, x: Tensor, qkv: nn.Linear) -> Tensor:
        q, k, v = qkv(x).chunk(3, -1)
        return (q @ k.transpose(-2, -1)).softmax(-1) @ v


class Linear(Around):
    """softmax(q)·(softmax(k)ᵀ·v): keys meet values first, whatever the number of pixels."""

    def __init__(self, heads: int = 2) -> None:
        super().__init__(heads * 8)
        self.heads, self.qkv = heads, nn.Conv2d(heads * 8, heads * 24, 1)

    def attend(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        q, k, v = (part.reshape(b, self.heads, -1, h * w) for part in self.qkv(x).chunk(3, 1))
        context = k.softmax(-1) @ v.transpose(-2, -1)
        return (context.transpose(-2, -1) @ q.softmax(-2)).reshape(b, c, h, w)


class Unshuffled(Channels):
    """Attention on a picture whose 2 × 2 pixels are one pixel's channels."""

    def __init__(self) -> None:
        super().__init__(4)
        self.narrow, self.wide = nn.Conv2d(96, 24, 1), nn.Conv2d(24, 96, 1)

    def attend(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.wide(super().attend(self.narrow(F.pixel_unshuffle(x, 2)))), 2)


class Kernels(Around):
    """SKNet's choice between two branches by a softmax across them."""

    def __init__(self) -> None:
        super().__init__(16)
        self.narrow, self.wide = nn.Conv2d(16, 16, 3, padding=1), nn.Conv2d(16, 16, 5, padding=2)
        self.squeeze = nn.Conv2d(16, 4, 1)
        self.ask = nn.ModuleList(nn.Conv2d(4, 16, 1) for _ in range(2))

    def attend(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        branches = torch.cat([self.narrow(x), self.wide(x)], 1).view(b, 2, c, h, w)
        summary = self.squeeze(branches.sum(1).mean((-2, -1), keepdim=True))
        scores = torch.cat([ask(summary) for ask in self.ask], 1).view(b, 2, c, 1, 1)
        return (branches * scores.softmax(1)).sum(1)
