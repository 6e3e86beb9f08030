"""Restormer: a U-net of transformer blocks whose attention runs over channels, not pixels.

Zamir, Arora, Khan, Hayat, Khan, Yang: "Restormer: Efficient Transformer for High-Resolution Image Restoration",
CVPR 2022. Parameter names are the official ones. Official code and weights: academic, non-commercial.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from exporter.generators.state_keys import count


class _NormBody(nn.Module):
    def __init__(self, channels: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(1, keepdim=True)
        spread = torch.sqrt((centred * centred).mean(1, keepdim=True) + 1e-5)
        if self.bias is None:  # the official bias-free norm divides by the spread but keeps the mean
            return x / spread * self.weight[None, :, None, None]
        return centred / spread * self.weight[None, :, None, None] + self.bias[None, :, None, None]


class _Norm(nn.Module):
    """Layer norm over the channels of each pixel, kept at rank 4; keys `body.weight`, `body.bias`."""

    def __init__(self, channels: int, bias: bool) -> None:
        super().__init__()
        self.body = _NormBody(channels, bias)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return y


class _Attention(nn.Module):
    """Channel attention: C/heads × C/heads maps of cosine similarity between channel planes."""

    def __init__(self, channels: int, heads: int, bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=bias)
        self.qkv_dwconv = nn.Conv2d(3 * channels, 3 * channels, 3, padding=1, groups=3 * channels, bias=bias)
        self.project_out = nn.Conv2d(channels, channels, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        q, k, v = (
            part.reshape(n, self.heads, c // self.heads, h * w) for part in self.qkv_dwconv(self.qkv(x)).chunk(3, 1)
        )
        similarity = _unit_length(q) @ _unit_length(k).transpose(-2, -1) * self.temperature
        y = similarity.softmax(-1) @ v
        out: Tensor = self.project_out(y.reshape(n, c, h, w))
        return out


def _unit_length(x: Tensor) -> Tensor:
    """Rows of length 1. Written with the mean square: a sum over a million pixels would leave half precision."""
    pixels = sqrt(int(x.shape[-1]))
    spread = torch.sqrt((x * x).mean(-1, keepdim=True)).clamp(min=1e-12 / pixels)
    return x / spread * (1 / pixels)


class _FeedForward(nn.Module):
    """1×1 expand, 3×3 depthwise, GELU-gated halves, 1×1 project."""

    def __init__(self, channels: int, expansion: float, bias: bool) -> None:
        super().__init__()
        hidden = int(channels * expansion)
        self.project_in = nn.Conv2d(channels, 2 * hidden, 1, bias=bias)
        self.dwconv = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=bias)
        self.project_out = nn.Conv2d(hidden, channels, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.dwconv(self.project_in(x)).chunk(2, 1)
        y: Tensor = self.project_out(F.gelu(first) * second)
        return y


class _Block(nn.Module):
    def __init__(self, channels: int, heads: int, expansion: float, bias: bool, norm_bias: bool) -> None:
        super().__init__()
        self.norm1 = _Norm(channels, norm_bias)
        self.attn = _Attention(channels, heads, bias)
        self.norm2 = _Norm(channels, norm_bias)
        self.ffn = _FeedForward(channels, expansion, bias)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        y: Tensor = x + self.ffn(self.norm2(x))
        return y


class _Patch(nn.Module):
    """The first convolution; key `proj`."""

    def __init__(self, width: int, bias: bool) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, 3, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.proj(x)
        return y


class _Resample(nn.Module):
    """A 3×3 convolution and a pixel (un)shuffle: half the size and twice the channels, or the reverse."""

    def __init__(self, channels: int, down: bool) -> None:
        super().__init__()
        outputs = channels // 2 if down else 2 * channels
        shuffle: nn.Module = nn.PixelUnshuffle(2) if down else nn.PixelShuffle(2)
        self.body = nn.Sequential(nn.Conv2d(channels, outputs, 3, padding=1, bias=False), shuffle)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return y


class Restormer(nn.Module):
    """(N, 3, H, W) RGB in 0..1 to the same; H and W multiples of 8."""

    def __init__(
        self,
        dim: int = 48,
        num_blocks: tuple[int, int, int, int] = (4, 6, 6, 8),
        num_refinement_blocks: int = 4,
        heads: tuple[int, int, int, int] = (1, 2, 4, 8),
        ffn_expansion_factor: float = 2.66,
        bias: bool = False,
        norm_bias: bool = True,
    ) -> None:
        super().__init__()

        def blocks(depth: int, level: int, width: int) -> nn.Sequential:
            one = (width, heads[level], ffn_expansion_factor, bias, norm_bias)
            return nn.Sequential(*(_Block(*one) for _ in range(depth)))

        self.patch_embed = _Patch(dim, bias)
        self.encoder_level1 = blocks(num_blocks[0], 0, dim)
        self.down1_2 = _Resample(dim, down=True)
        self.encoder_level2 = blocks(num_blocks[1], 1, 2 * dim)
        self.down2_3 = _Resample(2 * dim, down=True)
        self.encoder_level3 = blocks(num_blocks[2], 2, 4 * dim)
        self.down3_4 = _Resample(4 * dim, down=True)
        self.latent = blocks(num_blocks[3], 3, 8 * dim)
        self.up4_3 = _Resample(8 * dim, down=False)
        self.reduce_chan_level3 = nn.Conv2d(8 * dim, 4 * dim, 1, bias=bias)
        self.decoder_level3 = blocks(num_blocks[2], 2, 4 * dim)
        self.up3_2 = _Resample(4 * dim, down=False)
        self.reduce_chan_level2 = nn.Conv2d(4 * dim, 2 * dim, 1, bias=bias)
        self.decoder_level2 = blocks(num_blocks[1], 1, 2 * dim)
        self.up2_1 = _Resample(2 * dim, down=False)
        self.decoder_level1 = blocks(num_blocks[0], 0, 2 * dim)  # no reduction at the last level
        self.refinement = blocks(num_refinement_blocks, 0, 2 * dim)
        self.output = nn.Conv2d(2 * dim, 3, 3, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        e1 = self.encoder_level1(self.patch_embed(x))
        e2 = self.encoder_level2(self.down1_2(e1))
        e3 = self.encoder_level3(self.down2_3(e2))
        y = self.latent(self.down3_4(e3))
        y = self.decoder_level3(self.reduce_chan_level3(torch.cat([self.up4_3(y), e3], 1)))
        y = self.decoder_level2(self.reduce_chan_level2(torch.cat([self.up3_2(y), e2], 1)))
        y = self.decoder_level1(torch.cat([self.up2_1(y), e1], 1))
        return torch.clamp(self.output(self.refinement(y)) + x, 0, 1)

    def bottleneck(self) -> nn.Module:
        """The layer whose output distillation may imitate: the deepest map, 1/8."""
        return self.latent

    @staticmethod
    def kwargs_from_state(state: Mapping[str, Tensor]) -> dict[str, Any]:
        embed = state["patch_embed.proj.weight"]
        if embed.shape[1] != 3:
            raise ValueError(f"patch_embed.proj.weight takes {embed.shape[1]} channels, not RGB")
        levels = ("encoder_level1.", "encoder_level2.", "encoder_level3.", "latent.")
        return {
            "dim": embed.shape[0],
            "num_blocks": tuple(count(state, level) for level in levels),
            "num_refinement_blocks": count(state, "refinement."),
            "heads": tuple(state[f"{level}0.attn.temperature"].shape[0] for level in levels),
            "ffn_expansion_factor": _expansion(state, embed.shape[0], levels),
            "bias": "patch_embed.proj.bias" in state,
            "norm_bias": "latent.0.norm1.body.bias" in state,
        }


def _expansion(state: Mapping[str, Tensor], dim: int, levels: tuple[str, ...]) -> float:
    """The factor that, cut to whole channels, gives the hidden widths of all levels."""
    widths = [dim << i for i in range(len(levels))]
    hidden = [state[f"{level}0.ffn.project_in.weight"].shape[0] // 2 for level in levels]
    if hidden == [int(width * 2.66) for width in widths]:
        return 2.66
    return max(h / w for h, w in zip(hidden, widths, strict=True)) + 1e-9
