"""The two networks of `tools/replay.py` that this project does not know: an export meets them as a user's own."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs), nn.PReLU(outputs))


class DownAndUp(nn.Module):
    """Three ways up: a transposed convolution, a pixel shuffle, a bilinear resize."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.middle, self.quarter = block(3, 16), block(16, 24, 2), block(24, 32, 2)
        self.up = nn.ConvTranspose2d(32, 24, 4, 2, 1)
        self.shuffle = nn.Sequential(nn.Conv2d(24, 64, 1), nn.PixelShuffle(2))
        self.last = nn.Conv2d(16 + 16 + 32, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.first(x)
        half = self.middle(first)
        quarter = self.quarter(half)
        shuffled = self.shuffle(torch.relu(self.up(quarter)) + half)
        large = F.interpolate(quarter, scale_factor=4, mode="bilinear", align_corners=False)
        return torch.clamp(x + self.last(torch.cat([first, shuffled, large], 1)), 0, 1)


class Attention(nn.Module):
    """Windows of 8 pixels, channel attention, LayerNorm over channels and a gate."""

    def __init__(self, dim: int = 16, heads: int = 2) -> None:
        super().__init__()
        self.dim, self.heads = dim, heads
        self.first, self.norm = nn.Conv2d(3, dim, 3, padding=1), nn.LayerNorm(dim)
        self.qkv, self.project = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(dim, dim, 1), nn.Sigmoid())
        self.grow, self.gate = nn.Linear(dim, 2 * dim), nn.GELU()
        self.last = nn.Conv2d(dim, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x)
        batch, dim, height, width = y.shape
        rows, columns = height // 8, width // 8
        tiles = y.view(batch, dim, rows, 8, columns, 8).permute(0, 2, 4, 3, 5, 1).reshape(-1, 64, dim)
        q, k, v = self.qkv(self.norm(tiles)).view(-1, 64, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        seen = torch.softmax(q @ k.transpose(-2, -1) * (dim // self.heads) ** -0.5, -1) @ v
        tiles = tiles + self.project(seen.transpose(1, 2).reshape(-1, 64, dim))
        one, other = self.grow(tiles).chunk(2, -1)
        tiles = tiles + self.gate(one) * other
        y = tiles.view(batch, rows, columns, 8, 8, dim).permute(0, 5, 1, 3, 2, 4).reshape(batch, dim, height, width)
        return torch.clamp(x + self.last(y * self.squeeze(y)), 0, 1)
