"""The student: a MobileNetV3 encoder cut at stride 16, an additive pyramid decoder, an image residual.

Howard et al., "Searching for MobileNetV3", ICCV 2019; the "minimalistic" variant has no squeeze-excite, no
hard-swish and no 5×5, which is what GPU delegates and INT8 kernels want. Full resolution is touched in the head only:
convolution to 12 channels at half size, depth-to-space, add to the input, clamp.

Preset p is laid out by the clock, not by MACs. INT8 kernels run plain 3×3 convolutions at twice the rate of depthwise
ones, additions and whatever lies at half resolution: p has inverted residuals at 1/16 alone, plain convolutions
elsewhere (fused as in MobileNet-EdgeTPU), nothing at half resolution but the stem, and its head at a quarter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PresetName = Literal["s", "m", "l", "p"]
Activation = Literal["relu6", "relu", "hard_swish"]
Block = Literal["inverted", "residual", "plain"]

# Per stage: (expanded channels, channels, stride) of each inverted residual, nothing expanded: one plain 3×3 instead;
# a stage ends where a skip is taken.
_LARGE = (
    ((16, 16, 1),),
    ((64, 24, 2), (72, 24, 1)),
    ((72, 40, 2), (120, 40, 1), (120, 40, 1)),
    ((240, 80, 2), (200, 80, 1), (184, 80, 1), (184, 80, 1), (480, 112, 1), (672, 112, 1)),
)
_SMALL = (
    (),
    ((16, 16, 2),),
    ((72, 24, 2), (88, 24, 1)),
    ((96, 40, 2), (240, 40, 1), (240, 40, 1), (120, 48, 1), (144, 48, 1)),
)
_FUSED = (
    (),
    ((0, 64, 2),),
    ((0, 64, 2), (0, 64, 1)),
    ((0, 96, 2), (0, 96, 1), (288, 96, 1), (288, 96, 1), (288, 96, 1)),
)


@dataclass(frozen=True, slots=True)
class _Preset:
    encoder: tuple[tuple[tuple[int, int, int], ...], ...]
    widths: tuple[int, ...]  # decoder channels at 1/16, 1/8, 1/4 and, if there are four, 1/2
    depths: tuple[int, ...]
    blocks: tuple[Block, ...]
    direct: bool = False  # skips are added as they come, without a 1×1 convolution


# At half resolution one plain 3×3 is faster in INT8 than an inverted residual (26.3 against 30.1 ms, s at 720p).
PRESETS = {
    "s": _Preset(_SMALL, (48, 32, 24, 16), (2, 2, 1, 1), ("inverted", "inverted", "inverted", "plain")),
    "m": _Preset(_LARGE, (64, 48, 32, 16), (3, 2, 2, 1), ("residual",) * 4),
    "l": _Preset(_LARGE, (112, 80, 48, 24), (4, 3, 2, 2), ("residual",) * 4),
    "p": _Preset(_FUSED, (96, 64, 64), (0, 4, 4), ("plain",) * 3, direct=True),
}


class ConvNormAct(nn.Sequential):
    """Convolution with TensorFlow's SAME padding: at stride 2 one row and column at the bottom right only.

    Symmetric padding at stride 2 would cost a PAD operator in every .tflite.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, act: str = "") -> None:
        pad = (kernel - 1) // 2 if stride == 1 else 0
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, kernel, stride, pad, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        if stride == 2:
            total = kernel - 2
            layers.insert(0, nn.ZeroPad2d((total // 2, total - total // 2) * 2))
        super().__init__(*layers, *([_activation(act)] if act else []))


class SqueezeExcite(nn.Module):
    """MobileNetV3's channel gate; kept out of the default student (fp16 overflow, slow INT8)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(8, channels // 4 // 8 * 8)
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.expand(F.relu(self.reduce(x.mean((2, 3), keepdim=True))))
        return x * F.hardsigmoid(gate)


class InvertedResidual(nn.Module):
    """1×1 expand, 3×3 depthwise, optional squeeze-excite, 1×1 project."""

    def __init__(self, inputs: int, hidden: int, outputs: int, stride: int, act: str, gate: bool) -> None:
        super().__init__()
        expand = [ConvNormAct(inputs, hidden, 1, act=act)] if hidden != inputs else []
        self.body = nn.Sequential(
            *expand,
            ConvNormAct(hidden, hidden, 3, stride, hidden, act),
            *([SqueezeExcite(hidden)] if gate else []),
            ConvNormAct(hidden, outputs, 1),
        )
        self.identity = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if self.identity else y


class Residual(nn.Module):
    """Two full 3×3 convolutions, activation after the addition: better dB per MAC than depthwise on a GPU or NPU."""

    def __init__(self, channels: int, act: str) -> None:
        super().__init__()
        self.first = ConvNormAct(channels, channels, 3, act=act)
        self.second = ConvNormAct(channels, channels, 3)
        self.act = _activation(act)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(x + self.second(self.first(x)))
        return y


class Plain(ConvNormAct):
    """3×3 convolution that starts as identity: its kernel holds a residual branch and what that is added to."""

    def __init__(self, channels: int, act: str) -> None:
        super().__init__(channels, channels, 3, act=act)
        kernel = self[0].weight
        assert isinstance(kernel, nn.Parameter)
        identity = nn.init.dirac_(torch.empty_like(kernel))
        with torch.no_grad():
            kernel.mul_(0.5).add_(identity)


class MobileNetV3Student(nn.Module):
    """(N, 3, H, W) RGB 0..1 to the same; H and W multiples of 16.

    `activation="hard_swish"` with `squeeze_excite=True` is the full MobileNetV3: lint warns about it.
    """

    def __init__(
        self, preset: PresetName = "m", activation: Activation = "relu6", squeeze_excite: bool = False
    ) -> None:
        super().__init__()
        if preset not in PRESETS:
            raise ValueError(f"preset is {preset!r}, not one of {', '.join(PRESETS)}")
        plan = PRESETS[preset]
        self.stem = ConvNormAct(3, 16, 3, 2, act=activation)
        self.encoder = nn.ModuleList()
        channels, skips = 16, []
        for stage in plan.encoder:
            blocks = []
            for hidden, outputs, stride in stage:
                blocks.append(_encoder_block(channels, hidden, outputs, stride, activation, squeeze_excite))
                channels = outputs
            self.encoder.append(nn.Sequential(*blocks))
            skips.append(channels)
        self.decoder = nn.ModuleList()
        self.laterals = nn.ModuleList()
        self.reduce = nn.ModuleList()
        for level, (width, depth) in enumerate(zip(plan.widths, plan.depths, strict=True)):
            above = channels if level == 0 else width
            self.decoder.append(_decoder_level(above, width, depth, plan.blocks[level], activation))
            if level + 1 < len(plan.widths):
                below = plan.widths[level + 1]
                self.reduce.append(ConvNormAct(width, below, 1))
                self.laterals.append(nn.Identity() if plan.direct else ConvNormAct(skips[2 - level], below, 1))
        self.enlargement = 2 ** (5 - len(plan.widths))  # of the head: from 1/2 or 1/4 to the whole
        self.head = nn.Conv2d(plan.widths[-1], 3 * self.enlargement**2, 3, padding=1)
        nn.init.zeros_(self.head.weight)  # an untrained student returns its input
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        maps = []
        y = self.stem(x)
        for stage in self.encoder:
            y = stage(y)
            maps.append(y)
        y = self.decoder[0](maps[3])
        for level in range(len(self.reduce)):
            up = F.interpolate(self.reduce[level](y), scale_factor=2, mode="nearest")
            y = self.decoder[level + 1](up + self.laterals[level](maps[2 - level]))
        return torch.clamp(x + F.pixel_shuffle(self.head(y), self.enlargement), 0, 1)

    def bottleneck(self) -> nn.Module:
        """The layer whose output distillation may train: the deepest encoder map, 1/16."""
        return self.encoder[3]

    @staticmethod
    def kwargs_from_state(state: Mapping[str, Tensor]) -> dict[str, Any]:
        """The preset and the gates; the activation leaves no trace in the weights."""
        head = state["head.weight"]
        small = not any(key.startswith("encoder.0.") for key in state)
        preset = "s" if small else "m" if head.shape[1] == PRESETS["m"].widths[-1] else "l"
        preset = preset if head.shape[0] == 12 else "p"
        gates = any(".reduce.weight" in key and key.startswith("encoder.") for key in state)
        return {"preset": preset, "squeeze_excite": gates}


def _encoder_block(inputs: int, hidden: int, outputs: int, stride: int, act: str, gate: bool) -> nn.Module:
    if hidden:
        return InvertedResidual(inputs, hidden, outputs, stride, act, gate)
    return Plain(inputs, act) if (stride, outputs) == (1, inputs) else ConvNormAct(inputs, outputs, 3, stride, act=act)


def _decoder_level(inputs: int, width: int, depth: int, kind: Block, act: str) -> nn.Sequential:
    blocks: list[nn.Module] = [ConvNormAct(inputs, width, 1, act=act)] if inputs != width else []
    return nn.Sequential(*blocks, *(_block(kind, width, act) for _ in range(depth)))


def _block(kind: Block, width: int, act: str) -> nn.Module:
    if kind == "plain":
        return ConvNormAct(width, width, 3, act=act)
    if kind == "residual":
        return Residual(width, act)
    return InvertedResidual(width, 2 * width, width, 1, act, False)


def _activation(name: str) -> nn.Module:
    if name == "hard_swish":
        return nn.Hardswish(inplace=True)
    return nn.ReLU6(inplace=True) if name == "relu6" else nn.ReLU(inplace=True)
