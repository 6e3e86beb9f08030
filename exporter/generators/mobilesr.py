"""MobileSR: window attention and depthwise convolutions in turn, for light super-resolution.

Sun, Pan, Tang: "ShuffleMixer" authors' winning entry of the NTIRE 2022 efficient super-resolution challenge (overall
runtime-parameter track; Li et al., CVPR Workshops 2022). Parameter names are those of `mobilesr_x4.pth`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from exporter.generators.blocks.windows import attend, merge, partition, split_heads
from exporter.generators.state_keys import count, root


class _Attention(nn.Module):
    def __init__(self, channels: int, heads: int, bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(channels, 3 * channels, bias=bias)
        self.proj_out = nn.Linear(channels, channels)

    def forward(self, windows: Tensor) -> Tensor:
        q, k, v = (split_heads(part, self.heads) for part in self.qkv(windows).chunk(3, -1))
        y: Tensor = self.proj_out(attend(q, k, v, int(q.shape[-1]) ** -0.5))
        return y


class _Mlp(nn.Module):
    def __init__(self, channels: int, ratio: int) -> None:
        super().__init__()
        hidden = channels * ratio
        self.fc = nn.Sequential(nn.Linear(channels, hidden), nn.GELU(), nn.Linear(hidden, channels))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.fc(x)
        return y


class _Transformer(nn.Module):
    """Depthwise position term, window attention, MLP, all residual. Borders are padded with zeros after the norm."""

    def __init__(self, channels: int, heads: int, side: int, ratio: int, qkv_bias: bool) -> None:
        super().__init__()
        self.side = side
        self.pos_embed = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm1 = nn.LayerNorm(channels)
        self.attn = _Attention(channels, heads, qkv_bias)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = _Mlp(channels, ratio)

    def forward(self, x: Tensor) -> Tensor:
        x = (x + self.pos_embed(x)).permute(0, 2, 3, 1)
        height, width = int(x.shape[1]), int(x.shape[2])
        below, right = -height % self.side, -width % self.side
        y = self.norm1(x)
        if below or right:
            y = F.pad(y, (0, 0, 0, right, 0, below))
        y = merge(self.attn(partition(y, self.side)), self.side, height + below, width + right)
        x = x + y[:, :height, :width]
        x = x + self.mlp(self.norm2(x))
        return x.permute(0, 3, 1, 2)


class _ResBlock(nn.Module):
    def __init__(self, channels: int, ratio: int) -> None:
        super().__init__()
        wide = channels * ratio
        self.net = nn.Sequential(
            nn.Conv2d(channels, wide, 1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(wide, wide, 3, padding=1, groups=wide),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(wide, channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.net(x)
        return x + y


class _Body(nn.Module):
    def __init__(self, channels: int, heads: int, side: int, ratios: tuple[int, ...], qkv_bias: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(_Transformer(channels, heads, side, ratio, qkv_bias), _ResBlock(channels, ratio))
            for ratio in ratios
        )

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class MobileSR(nn.Module):
    """(N, 3, H, W) RGB in 0..1 to (N, 3, scale·H, scale·W), any size.

    The number of heads and the window's side leave no trace in a checkpoint; defaults are the official ones.
    """

    def __init__(
        self,
        n_feats: int = 40,
        n_heads: int = 8,
        ratios: tuple[int, ...] = (4, 2, 2, 2, 4),
        upscaling_factor: int = 4,
        window_size: int = 8,
        qkv_bias: bool = False,
    ) -> None:
        super().__init__()
        self.scale = upscaling_factor
        self.head = nn.Conv2d(3, n_feats, 3, padding=1)
        self.body = _Body(n_feats, n_heads, window_size, ratios, qkv_bias)
        self.fuse = nn.Conv2d(2 * n_feats, n_feats, 3, padding=1)
        steps = (2, 2) if upscaling_factor == 4 else (upscaling_factor,)
        layers: list[nn.Module] = []
        for step in steps:
            layers += [nn.Conv2d(n_feats, n_feats * step**2, 1), nn.PixelShuffle(step)]
        self.upsapling = nn.Sequential(*layers)  # spelled as in the checkpoint
        self.tail = nn.Conv2d(n_feats, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.head(x)
        y = self.upsapling(self.fuse(torch.cat([y, self.body(y)], 1)))
        y = self.tail(F.leaky_relu(y, 0.2))
        size = (self.scale * int(x.shape[2]), self.scale * int(x.shape[3]))
        return torch.clamp(y + F.interpolate(x, size=size, mode="bilinear", align_corners=False), 0, 1)

    @staticmethod
    def kwargs_from_state(state: Mapping[str, Tensor]) -> dict[str, Any]:
        width = state["fuse.weight"].shape[0]
        layers = count(state, "body.layers.")
        steps = (count(state, "upsapling.") + 1) // 2
        growth = root(state["upsapling.0.weight"].shape[0] // width, "outputs per input of upsapling.0.weight")
        return {
            "n_feats": width,
            "ratios": tuple(state[f"body.layers.{i}.0.mlp.fc.0.weight"].shape[0] // width for i in range(layers)),
            "upscaling_factor": growth**steps,
            "qkv_bias": "body.layers.0.0.attn.qkv.bias" in state,
        }
