"""Uformer: a U-net of window-attention blocks whose feed-forward layers look at the neighbouring pixels.

Wang, Cun, Bao, Zhou, Liu, Li: "Uformer: A General U-Shaped Transformer for Image Restoration", CVPR 2022. Parameter
names are the official ones. The official code only runs square pictures; here height and width are
kept apart, which on squares is the same function.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from exporter.generators.blocks.windows import PositionBias, attend, attend_in_windows, split_heads
from exporter.generators.state_keys import count, root

_LAYERS = (
    *(f"encoderlayer_{i}" for i in range(4)),
    "conv",
    *(f"decoderlayer_{i}" for i in range(4)),
)


class _Projection(nn.Module):
    def __init__(self, channels: int, bias: bool) -> None:
        super().__init__()
        self.to_q = nn.Linear(channels, channels, bias=bias)
        self.to_kv = nn.Linear(channels, 2 * channels, bias=bias)


class _Attention(PositionBias):
    def __init__(self, channels: int, side: int, heads: int, bias: bool) -> None:
        super().__init__(side, heads)
        self.qkv = _Projection(channels, bias)
        self.proj = nn.Linear(channels, channels)

    def forward(self, windows: Tensor, mask: Tensor | None) -> Tensor:
        q = split_heads(self.qkv.to_q(windows), self.heads)
        k, v = (split_heads(part, self.heads) for part in self.qkv.to_kv(windows).chunk(2, -1))
        bias = self.bias() if mask is None else self.bias() + mask
        y: Tensor = self.proj(attend(q, k, v, int(q.shape[-1]) ** -0.5, bias))
        return y


class _FeedForward(nn.Module):
    """Linear, depthwise 3×3, linear, GELU after the first two; (N, H, W, C)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.linear1 = nn.Sequential(nn.Linear(channels, hidden), nn.GELU())
        self.dwconv = nn.Sequential(nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden), nn.GELU())
        self.linear2 = nn.Sequential(nn.Linear(hidden, channels))

    def forward(self, x: Tensor) -> Tensor:
        y = self.dwconv(self.linear1(x).permute(0, 3, 1, 2))
        out: Tensor = self.linear2(y.permute(0, 2, 3, 1))
        return out


class _Block(nn.Module):
    def __init__(
        self, channels: int, side: int, heads: int, shift: int, ratio: float, bias: bool, modulator: bool
    ) -> None:
        super().__init__()
        self.side, self.shift = side, shift
        self.modulator = nn.Embedding(side * side, channels) if modulator else None
        self.norm1 = nn.LayerNorm(channels)
        self.attn = _Attention(channels, side, heads, bias)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = _FeedForward(channels, int(channels * ratio))

    def forward(self, x: Tensor) -> Tensor:
        x = x + attend_in_windows(self.norm1(x), self.side, self.shift, self._attend)
        out: Tensor = x + self.mlp(self.norm2(x))
        return out

    def _attend(self, windows: Tensor, mask: Tensor | None) -> Tensor:
        y: Tensor = self.attn(windows if self.modulator is None else windows + self.modulator.weight, mask)
        return y


class _Layer(nn.Module):
    """Key `blocks`; every second block is shifted by half a window."""

    def __init__(
        self,
        channels: int,
        depth: int,
        side: int,
        heads: int,
        ratio: float,
        bias: bool,
        modulator: bool,
        shifted: bool,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            _Block(channels, side, heads, side // 2 if shifted and i % 2 else 0, ratio, bias, modulator)
            for i in range(depth)
        )

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x


class _Resize(nn.Module):
    """A strided or transposed convolution on (N, H, W, C); keys `conv.0` or `deconv.0`."""

    def __init__(self, inputs: int, outputs: int, down: bool) -> None:
        super().__init__()
        if down:
            self.conv = nn.Sequential(nn.Conv2d(inputs, outputs, 4, 2, 1))
        else:
            self.deconv = nn.Sequential(nn.ConvTranspose2d(inputs, outputs, 2, 2))
        self.down = down

    def forward(self, x: Tensor) -> Tensor:
        y = x.permute(0, 3, 1, 2)
        y = self.conv(y) if self.down else self.deconv(y)
        out: Tensor = y.permute(0, 2, 3, 1)
        return out


class _InOut(nn.Module):
    """Key `proj.0`."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.proj = nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.proj(x)
        return y


class Uformer(nn.Module):
    """(N, 3, H, W) RGB in 0..1 to the same; H and W multiples of 16 windows (128).

    Defaults are Uformer-B. `img_size` is the side the official module was built with: when a level is then no larger
    than one window, its blocks are not shifted.
    """

    def __init__(
        self,
        embed_dim: int = 32,
        depths: tuple[int, ...] = (1, 2, 8, 8, 2, 8, 8, 2, 1),
        num_heads: tuple[int, ...] = (1, 2, 4, 8, 16, 16, 8, 4, 2),
        win_size: int = 8,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        modulator: bool = True,
        img_size: int = 256,
    ) -> None:
        super().__init__()
        self.multiple = 16 * win_size
        self.input_proj = _InOut(3, embed_dim)
        self.output_proj = _InOut(2 * embed_dim, 3)
        widths = [embed_dim << i for i in (0, 1, 2, 3, 4, 4, 3, 2, 1)]
        levels = (0, 1, 2, 3, 4, 3, 2, 1, 0)
        for i, name in enumerate(_LAYERS):
            shifted = img_size >> levels[i] > win_size
            options = (mlp_ratio, qkv_bias, modulator and i > 4, shifted)
            self.add_module(name, _Layer(widths[i], depths[i], win_size, num_heads[i], *options))
        for i in range(4):
            self.add_module(f"dowsample_{i}", _Resize(embed_dim << i, embed_dim << i + 1, down=True))
            inputs = embed_dim << (4 if i == 0 else 5 - i)
            self.add_module(f"upsample_{i}", _Resize(inputs, embed_dim << 3 - i, down=False))

    def forward(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(self.input_proj(x), 0.01).permute(0, 2, 3, 1)
        skips = []
        for i in range(4):
            skips.append(self.get_submodule(f"encoderlayer_{i}")(y))
            y = self.get_submodule(f"dowsample_{i}")(skips[-1])
        y = self.get_submodule("conv")(y)
        for i in range(4):
            up = self.get_submodule(f"upsample_{i}")(y)
            y = self.get_submodule(f"decoderlayer_{i}")(torch.cat([up, skips.pop()], -1))
        return torch.clamp(x + self.output_proj(y.permute(0, 3, 1, 2)), 0, 1)

    def bottleneck(self) -> nn.Module:
        """The layer whose output distillation may imitate: the deepest map, 1/16, channels last."""
        return self.get_submodule("conv")

    @staticmethod
    def official_key(key: str) -> str | None:
        """None for index tables that follow from the window alone."""
        return None if key.endswith("relative_position_index") else key

    @staticmethod
    def kwargs_from_state(state: Mapping[str, Tensor]) -> dict[str, Any]:
        tables = [state[f"{name}.blocks.0.attn.relative_position_bias_table"] for name in _LAYERS]
        first = state["input_proj.proj.0.weight"]
        if first.shape[1] != 3:
            raise ValueError(f"input_proj.proj.0.weight takes {first.shape[1]} channels, not RGB")
        return {
            "embed_dim": first.shape[0],
            "depths": tuple(count(state, f"{name}.blocks.") for name in _LAYERS),
            "num_heads": tuple(table.shape[1] for table in tables),
            "win_size": (root(tables[0].shape[0], "rows of the position table") + 1) // 2,
            "mlp_ratio": state["encoderlayer_0.blocks.0.mlp.linear1.0.weight"].shape[0] / first.shape[0],
            "qkv_bias": "encoderlayer_0.blocks.0.attn.qkv.to_q.bias" in state,
            "modulator": "decoderlayer_0.blocks.0.modulator.weight" in state,
        }
