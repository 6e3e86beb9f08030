"""MAXIM: a U-net of gated MLPs that mix pixels inside blocks and across a grid of the whole picture, in stages.

Tu, Talebi, Zhang, Yang, Milanfar, Bovik, Li: "MAXIM: Multi-Axis MLP for Image Processing", CVPR 2022. Names are those
of the official JAX parameters: `stage_0_encoder_block_0/Conv_0/kernel` is `stage_0_encoder_block_0.Conv_0.weight`. Only
the last stage's picture of full size is computed; the others serve training alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from exporter.generators.blocks.jax_resize import Resize, nearest
from exporter.generators.blocks.multi_axis import CrossGating, MultiAxisMlp, convolve, gelu, norm
from exporter.generators.state_keys import count, root


class _ChannelAttention(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.Conv_0 = nn.Linear(channels, channels // 4)
        self.Conv_1 = nn.Linear(channels // 4, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.Conv_1(F.relu(self.Conv_0(x.mean((1, 2), keepdim=True)))))


class _ConvBlock(nn.Module):
    """Norm, two 3×3 convolutions, channel attention; residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.LayerNorm = norm(channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.channel_attention = _ChannelAttention(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(convolve(self.conv1, self.LayerNorm(x)), 0.2)
        out: Tensor = x + self.channel_attention(convolve(self.conv2, y))
        return out


class _ChannelMlp(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.Dense_0 = nn.Linear(channels, channels)
        self.Dense_1 = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.Dense_1(gelu(self.Dense_0(x)))
        return y


class _MlpBlock(nn.Module):
    """Norm, MLP over channels, channel attention; residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.LayerNorm = norm(channels)
        self.channel_mixing = _ChannelMlp(channels)
        self.channel_attention = _ChannelAttention(channels)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.channel_attention(self.channel_mixing(self.LayerNorm(x)))
        return y


class _Groups(nn.Module):
    """Multi-axis MLPs in turn with channel-attention blocks, one residual around all, after a 1×1 convolution."""

    def __init__(self, inputs: int, channels: int, side: int, groups: int, deepest: bool = False) -> None:
        super().__init__()
        self.first = "input_proj" if deepest else "Conv_0"
        self.add_module(self.first, nn.Linear(inputs, channels))
        self.order = []
        for i in range(groups):
            second = f"channel_attention_block_1_{i}" if deepest else f"channel_attention_block_1{i}"
            self.add_module(f"SplitHeadMultiAxisGmlpLayer_{i}", MultiAxisMlp(channels, side))
            self.add_module(second, _MlpBlock(channels) if deepest else _ConvBlock(channels))
            self.order += [f"SplitHeadMultiAxisGmlpLayer_{i}", second]

    def forward(self, x: Tensor) -> Tensor:
        start: Tensor = self.get_submodule(self.first)(x)
        x = start
        for name in self.order:
            x = self.get_submodule(name)(x)
        return x + start


class _Encoder(_Groups):
    """Also fuses what the stage before knew at this size, and halves the result."""

    def __init__(self, inputs: int, channels: int, side: int, groups: int, fuses: bool) -> None:
        super().__init__(inputs, channels, side, groups)
        self.cross_gating_block = CrossGating(channels, side, channels, channels) if fuses else None
        self.Conv_1 = nn.Conv2d(channels, channels, 4, 2, 1)

    def forward(self, x: Tensor, before: Tensor | None = None) -> Tensor:
        x = super().forward(x)
        if self.cross_gating_block is not None:
            x, _ = self.cross_gating_block(x, before)
        return x


class _Decoder(nn.Module):
    def __init__(self, inputs: int, channels: int, skips: int, side: int, groups: int) -> None:
        super().__init__()
        self.ConvTranspose_0 = nn.ConvTranspose2d(inputs, channels, 2, 2)
        self.UNetEncoderBlock_0 = _Groups(channels + skips, channels, side, groups)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        y: Tensor = self.UNetEncoderBlock_0(torch.cat([convolve(self.ConvTranspose_0, x), skip], -1))
        return y


class _SupervisedAttention(nn.Module):
    """Features for the next stage, weighted by what this stage's picture shows."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.Conv_0 = nn.Conv2d(channels, channels, 3, padding=1)
        self.Conv_1 = nn.Conv2d(channels, 3, 3, padding=1)
        self.Conv_2 = nn.Conv2d(3, channels, 3, padding=1)

    def forward(self, x: Tensor, picture: Tensor) -> Tensor:
        restored = convolve(self.Conv_1, x) + picture
        return convolve(self.Conv_0, x) * torch.sigmoid(convolve(self.Conv_2, restored)) + x


class MAXIM(nn.Module):
    """(N, 3, H, W) RGB in 0..1 to the same; H and W multiples of 64. Defaults are MAXIM-3S, the deblurring network.

    high_res_stages  how many levels mix along `block_size_hr` px; the others and the bottleneck along `block_size_lr`
    """

    def __init__(
        self,
        features: int = 32,
        depth: int = 3,
        num_stages: int = 3,
        num_groups: int = 2,
        num_bottleneck_blocks: int = 2,
        high_res_stages: int = 2,
        block_size_hr: int = 16,
        block_size_lr: int = 8,
    ) -> None:
        super().__init__()
        self.depth, self.num_stages, self.num_bottleneck_blocks = depth, num_stages, num_bottleneck_blocks
        self.sides = [block_size_hr if i < high_res_stages else block_size_lr for i in range(depth)] + [block_size_lr]
        self.multiple = max(side << i for i, side in enumerate(self.sides))
        for stage in range(num_stages):
            self._add_stage(f"stage_{stage}_", features, num_groups, first=stage == 0, last=stage == num_stages - 1)
            self._add_resizes(stage, features)

    def _add_stage(self, stage: str, features: int, groups: int, first: bool, last: bool) -> None:
        deepest = features << self.depth - 1
        for i, side in enumerate(self.sides[:-1]):
            width = features << i
            below, above = min(2 * width, deepest), max(width // 2, features)
            self.add_module(f"{stage}input_conv_{i}", nn.Conv2d(3, width, 3, padding=1))
            if not first:
                self.add_module(f"{stage}input_fuse_sam_{i}", CrossGating(width, side, width, width))
            self.add_module(f"{stage}encoder_block_{i}", _Encoder(above + width, width, side, groups, not first))
            gating = CrossGating(width, side, self.depth * width, below, upsample=True)
            self.add_module(f"{stage}cross_gating_block_{i}", gating)
            decoder = _Decoder(below, width, self.depth * width, side, groups)
            self.add_module(f"{stage}decoder_block_{i}", decoder)
            if not last:
                self.add_module(f"{stage}supervised_attention_module_{i}", _SupervisedAttention(width))
        for i in range(self.num_bottleneck_blocks):
            self.add_module(f"{stage}global_block_{i}", _Groups(deepest, deepest, self.sides[-1], groups, deepest=True))
        if last:
            self.add_module(f"{stage}output_conv_0", nn.Conv2d(features, 3, 3, padding=1))

    def _add_resizes(self, stage: int, features: int) -> None:
        """Numbered through all stages: first for the skips, whose sources are listed from level 0 on, then for the
        decoders, whose sources are listed from the deepest on; targets always from the deepest on."""
        levels = range(self.depth)
        for target in reversed(levels):
            for source in levels:
                self.add_module(self._resize(stage, 0, source, target), Resize(source, target, features))
                self.add_module(self._resize(stage, 1, source, target), Resize(source, target, features))

    def _resize(self, stage: int, turn: int, source: int, target: int) -> str:
        place = source if turn == 0 else self.depth - 1 - source
        return f"UpSampleRatio_{((2 * stage + turn) * self.depth + self.depth - 1 - target) * self.depth + place}"

    def forward(self, x: Tensor) -> Tensor:
        pictures = [nearest(x, 1 << i).permute(0, 2, 3, 1) for i in range(self.depth)]
        attended: list[Tensor] = []
        before: list[Tensor] = []
        for stage in range(self.num_stages):
            encoded, deepest = self._encode(stage, pictures, attended, before)
            decoded = self._decode(stage, self._skips(stage, encoded, deepest), deepest)
            if stage < self.num_stages - 1:
                attend = [
                    self.get_submodule(f"stage_{stage}_supervised_attention_module_{i}") for i in range(self.depth)
                ]
                attended = [layer(*maps) for layer, *maps in zip(attend, decoded, pictures, strict=True)]
                before = [e + d for e, d in zip(encoded, decoded, strict=True)]
        last = self.get_submodule(f"stage_{self.num_stages - 1}_output_conv_0")
        return torch.clamp(x + last(decoded[0].permute(0, 3, 1, 2)), 0, 1)

    def _encode(
        self, stage: int, pictures: list[Tensor], attended: list[Tensor], before: list[Tensor]
    ) -> tuple[list[Tensor], Tensor]:
        """Maps of all levels, and the bottleneck's."""
        part = self.get_submodule
        maps: list[Tensor] = []
        x = pictures[0]
        for i, picture in enumerate(pictures):
            seen = convolve(part(f"stage_{stage}_input_conv_{i}"), picture)
            if attended:
                seen, _ = part(f"stage_{stage}_input_fuse_sam_{i}")(seen, attended[i])
            block = part(f"stage_{stage}_encoder_block_{i}")
            above = x if maps else seen  # the first level sees itself twice
            maps.append(block(torch.cat([above, seen], -1), before[i] if before else None))
            x = convolve(block.get_submodule("Conv_1"), maps[-1])
        for i in range(self.num_bottleneck_blocks):
            x = part(f"stage_{stage}_global_block_{i}")(x)
        return maps, x

    def _skips(self, stage: int, encoded: list[Tensor], deepest: Tensor) -> list[Tensor]:
        """All levels seen from each level, gated by what the level below sends up."""
        skips: list[Tensor] = []
        for i in reversed(range(self.depth)):
            signal = torch.cat([self._resized(stage, 0, j, i, x) for j, x in enumerate(encoded)], -1)
            skip, deepest = self.get_submodule(f"stage_{stage}_cross_gating_block_{i}")(signal, deepest)
            skips.insert(0, skip)
        return skips

    def _decode(self, stage: int, skips: list[Tensor], x: Tensor) -> list[Tensor]:
        decoded: list[Tensor] = []
        for i in reversed(range(self.depth)):
            seen = [self._resized(stage, 1, j, i, skips[j]) for j in reversed(range(self.depth))]
            x = self.get_submodule(f"stage_{stage}_decoder_block_{i}")(x, torch.cat(seen, -1))
            decoded.insert(0, x)
        return decoded

    def _attend(self, stage: int, decoded: list[Tensor], pictures: list[Tensor]) -> list[Tensor]:
        layers = [self.get_submodule(f"stage_{stage}_supervised_attention_module_{i}") for i in range(self.depth)]
        return [layer(*maps) for layer, *maps in zip(layers, decoded, pictures, strict=True)]

    def _resized(self, stage: int, turn: int, source: int, target: int, x: Tensor) -> Tensor:
        y: Tensor = self.get_submodule(self._resize(stage, turn, source, target))(x)
        return y

    def bottleneck(self) -> nn.Module:
        """The layer whose output distillation may imitate: the last stage's deepest map, 1/8, channels last."""
        return self.get_submodule(f"stage_{self.num_stages - 1}_global_block_{self.num_bottleneck_blocks - 1}")

    @staticmethod
    def official_key(key: str) -> str | None:
        """None for the last stage's smaller pictures, which only training looks at."""
        return None if re.fullmatch(r"stage_\d+_output_conv_[1-9]\..*", key) else key

    @staticmethod
    def kwargs_from_state(state: Mapping[str, Tensor]) -> dict[str, Any]:
        first = state["stage_0_input_conv_0.weight"]
        if first.shape[1] != 3:
            raise ValueError(f"stage_0_input_conv_0.weight takes {first.shape[1]} channels, not RGB")
        depth = count(state, "stage_0_encoder_block_")
        sides = [_side(state, f"stage_0_encoder_block_{i}") for i in range(depth)]
        low = _side(state, "stage_0_global_block_0")
        return {
            "features": first.shape[0],
            "depth": depth,
            "num_stages": 1 + max(int(key.split("_")[1]) for key in state if key.startswith("stage_")),
            "num_groups": count(state, "stage_0_encoder_block_0.SplitHeadMultiAxisGmlpLayer_"),
            "num_bottleneck_blocks": count(state, "stage_0_global_block_"),
            "high_res_stages": sum(side != low for side in sides),
            "block_size_hr": sides[0],
            "block_size_lr": low,
        }


def _side(state: Mapping[str, Tensor], block: str) -> int:
    key = f"{block}.SplitHeadMultiAxisGmlpLayer_0.BlockGmlpLayer.BlockGatingUnit.Dense_0.weight"
    return root(state[key].shape[0], f"the width of {key}")
