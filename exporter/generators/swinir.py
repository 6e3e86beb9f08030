"""SwinIR: residual groups of shifted-window transformer blocks between two convolutions.

Liang, Cao, Sun, Zhang, Van Gool, Timofte: "SwinIR: Image Restoration Using Swin Transformer", ICCV Workshops 2021.
Parameter names are the official ones; masks and index tables of the checkpoint are computed anew for the given size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from exporter.generators.blocks.enlarging import pixel_shuffle_steps, steps_scale
from exporter.generators.blocks.windows import PositionBias, attend, attend_in_windows, split_heads
from exporter.generators.state_keys import count, root

Upsampler = Literal["", "pixelshuffle", "pixelshuffledirect", "nearest+conv"]

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)


class _Attention(PositionBias):
    def __init__(self, channels: int, side: int, heads: int, qkv_bias: bool) -> None:
        super().__init__(side, heads)
        self.qkv = nn.Linear(channels, 3 * channels, bias=qkv_bias)
        self.proj = nn.Linear(channels, channels)

    def forward(self, windows: Tensor, mask: Tensor | None) -> Tensor:
        q, k, v = (split_heads(part, self.heads) for part in self.qkv(windows).chunk(3, -1))
        bias = self.bias() if mask is None else self.bias() + mask
        y: Tensor = self.proj(attend(q, k, v, int(q.shape[-1]) ** -0.5, bias))
        return y


class _Mlp(nn.Module):
    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(channels, hidden), nn.Linear(hidden, channels)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return y


class _Block(nn.Module):
    """Norm, (shifted) window attention, norm, MLP; both halves residual. Maps are (N, H, W, C)."""

    def __init__(self, channels: int, side: int, heads: int, shift: int, mlp_ratio: float, qkv_bias: bool) -> None:
        super().__init__()
        self.side, self.shift = side, shift
        self.norm1 = nn.LayerNorm(channels)
        self.attn = _Attention(channels, side, heads, qkv_bias)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = _Mlp(channels, int(channels * mlp_ratio))

    def forward(self, x: Tensor) -> Tensor:
        x = x + attend_in_windows(self.norm1(x), self.side, self.shift, self.attn)
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class _Blocks(nn.Module):
    """Key `blocks`; every second block is shifted by half a window."""

    def __init__(self, channels: int, depth: int, side: int, heads: int, mlp_ratio: float, qkv_bias: bool) -> None:
        super().__init__()
        shifts = (0 if i % 2 == 0 else side // 2 for i in range(depth))
        self.blocks = nn.ModuleList(_Block(channels, side, heads, shift, mlp_ratio, qkv_bias) for shift in shifts)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x


class _Group(nn.Module):
    """Blocks and a convolution, residual; (N, H, W, C) to the same."""

    def __init__(self, channels: int, depth: int, side: int, heads: int, ratio: float, bias: bool, convs: int) -> None:
        super().__init__()
        self.residual_group = _Blocks(channels, depth, side, heads, ratio, bias)
        self.conv = _connection(channels, convs)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(self.residual_group(x).permute(0, 3, 1, 2))
        return x + y.permute(0, 2, 3, 1)


class _Embedding(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)


def _connection(channels: int, convs: int) -> nn.Module:
    if convs == 1:
        return nn.Conv2d(channels, channels, 3, padding=1)
    narrow = channels // 4
    return nn.Sequential(
        nn.Conv2d(channels, narrow, 3, padding=1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(narrow, narrow, 1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(narrow, channels, 3, padding=1),
    )


class SwinIR(nn.Module):
    """(N, 3, H, W) RGB in 0..1 to (N, 3, upscale·H, upscale·W); H and W multiples of the window.

    Official padding repeats the picture mirrored at the bottom and right. `img_range` 255 with a window of 7 is the
    JPEG model.
    """

    def __init__(
        self,
        embed_dim: int = 180,
        depths: tuple[int, ...] = (6,) * 6,
        num_heads: tuple[int, ...] = (6,) * 6,
        window_size: int = 8,
        mlp_ratio: float = 2.0,
        upscale: int = 1,
        upsampler: Upsampler = "",
        qkv_bias: bool = True,
        connection_convs: int = 1,
        num_feat: int = 64,
        img_range: float = 1.0,
    ) -> None:
        super().__init__()
        self.upscale, self.upsampler, self.img_range, self.multiple = upscale, upsampler, img_range, window_size
        self.register_buffer("mean", torch.tensor(DIV2K_MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.conv_first = nn.Conv2d(3, embed_dim, 3, padding=1)
        self.patch_embed = _Embedding(embed_dim)
        self.layers = nn.ModuleList(
            _Group(embed_dim, depth, window_size, heads, mlp_ratio, qkv_bias, connection_convs)
            for depth, heads in zip(depths, num_heads, strict=True)
        )
        self.norm = nn.LayerNorm(embed_dim)
        self.conv_after_body = _connection(embed_dim, connection_convs)
        self._add_upsampler(embed_dim, num_feat)

    def _add_upsampler(self, embed_dim: int, num_feat: int) -> None:
        if self.upsampler == "":
            if self.upscale != 1:
                raise ValueError(f"upscale is {self.upscale}, but upsampler is empty")
            self.conv_last = nn.Conv2d(embed_dim, 3, 3, padding=1)
            return
        if self.upsampler == "pixelshuffledirect":
            width = 3 * self.upscale**2
            self.upsample = nn.Sequential(nn.Conv2d(embed_dim, width, 3, padding=1), nn.PixelShuffle(self.upscale))
            return
        first = nn.Conv2d(embed_dim, num_feat, 3, padding=1)
        self.conv_before_upsample = nn.Sequential(first, nn.LeakyReLU(inplace=True))
        if self.upsampler == "pixelshuffle":
            self.upsample = pixel_shuffle_steps(num_feat, self.upscale)
        elif self.upsampler == "nearest+conv":
            self.conv_up1 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
            if self.upscale == 4:
                self.conv_up2 = nn.Conv2d(num_feat, num_feat, 3, padding=1)
            self.conv_hr = nn.Conv2d(num_feat, num_feat, 3, padding=1)
        else:
            raise ValueError(f"upsampler is {self.upsampler!r}")
        self.conv_last = nn.Conv2d(num_feat, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        mean = self.get_buffer("mean")
        x = (x - mean) * self.img_range
        first = self.conv_first(x)
        y = self.patch_embed.norm(first.permute(0, 2, 3, 1))
        for layer in self.layers:
            y = layer(y)
        y = self.conv_after_body(self.norm(y).permute(0, 3, 1, 2)) + first
        y = x + self.conv_last(y) if self.upsampler == "" else self._enlarge(y)
        return torch.clamp(y / self.img_range + mean, 0, 1)

    def _enlarge(self, y: Tensor) -> Tensor:
        if self.upsampler == "pixelshuffledirect":
            direct: Tensor = self.upsample(y)
            return direct
        y = self.conv_before_upsample(y)
        if self.upsampler == "pixelshuffle":
            y = self.upsample(y)
        else:
            y = F.leaky_relu(self.conv_up1(_twice(y)), 0.2)
            if self.upscale == 4:
                y = F.leaky_relu(self.conv_up2(_twice(y)), 0.2)
            y = F.leaky_relu(self.conv_hr(y), 0.2)
        out: Tensor = self.conv_last(y)
        return out

    @staticmethod
    def official_key(key: str) -> str | None:
        """None for tables that follow from the window and the picture size alone."""
        return None if key.endswith(("relative_position_index", "attn_mask")) else key

    @staticmethod
    def kwargs_from_state(state: Mapping[str, Tensor]) -> dict[str, Any]:
        first = state["conv_first.weight"]
        table = "layers.{}.residual_group.blocks.0.attn.relative_position_bias_table"
        groups = count(state, "layers.")
        side = (root(state[table.format(0)].shape[0], "rows of the position table") + 1) // 2
        if first.shape[1] != 3:
            raise ValueError(f"conv_first.weight takes {first.shape[1]} channel, not RGB")
        one = "layers.0.residual_group.blocks.0."
        return {
            "embed_dim": first.shape[0],
            "depths": tuple(count(state, f"layers.{i}.residual_group.blocks.") for i in range(groups)),
            "num_heads": tuple(state[table.format(i)].shape[1] for i in range(groups)),
            "window_size": side,
            "mlp_ratio": state[f"{one}mlp.fc1.weight"].shape[0] / first.shape[0],
            "qkv_bias": f"{one}attn.qkv.bias" in state,
            "connection_convs": 3 if "conv_after_body.0.weight" in state else 1,
            "img_range": 255.0 if side == 7 else 1.0,
            **_upsampler_of(state),
        }


def _upsampler_of(state: Mapping[str, Tensor]) -> dict[str, Any]:
    if "conv_up1.weight" in state:
        scale = 4 if "conv_up2.weight" in state else 2
        return {"upsampler": "nearest+conv", "upscale": scale, "num_feat": state["conv_up1.weight"].shape[0]}
    if "conv_before_upsample.0.weight" in state:
        width = state["conv_before_upsample.0.weight"].shape[0]
        return {"upsampler": "pixelshuffle", "upscale": steps_scale(state, "upsample."), "num_feat": width}
    if "upsample.0.weight" in state:
        scale = root(state["upsample.0.weight"].shape[0] // 3, "channels per colour of upsample.0.weight")
        return {"upsampler": "pixelshuffledirect", "upscale": scale}
    return {"upsampler": "", "upscale": 1}


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")
