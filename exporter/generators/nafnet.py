"""NAFNet: a U-net of blocks without nonlinear activations; gates multiply two halves of the channels.

Chen, Chu, Zhang, Sun: "Simple Baselines for Image Restoration", ECCV 2022. Parameter names are the official ones.
Published GoPro and SIDD figures use local pooling at test time ("TLC", Chu et al., ECCV 2022): `train_size=256`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from exporter.generators.state_keys import count


class LayerNorm2d(nn.Module):
    """Normalises each pixel over its channels; mean and square written out, so that every exporter takes it."""

    def __init__(self, channels: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(1, keepdim=True)
        y = centred / torch.sqrt((centred * centred).mean(1, keepdim=True) + self.eps)
        return y * self.weight[None, :, None, None] + self.bias[None, :, None, None]


class LocalPool(nn.Module):
    """The mean over a window of `size` px around each pixel; over the whole map when it is smaller or `size` is 0.

    Rows and columns are averaged one after the other; at the borders the nearest full window counts.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        height, width = int(x.shape[2]), int(x.shape[3])
        rows = min(self.size or height, height)
        columns = min(self.size or width, width)
        if (rows, columns) == (height, width):
            return x.mean((2, 3), keepdim=True)
        y = F.avg_pool2d(F.avg_pool2d(x, (rows, 1), 1), (1, columns), 1)
        top, left = (rows - 1) // 2, (columns - 1) // 2
        return F.pad(y, (left, columns - 1 - left, top, rows - 1 - top), "replicate")


class _Block(nn.Module):
    """Depthwise convolution with channel attention, then two 1×1 convolutions; both halves gated, both residual."""

    def __init__(self, channels: int, pool: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv2 = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.conv3 = nn.Conv2d(channels, channels, 1)
        self.sca = nn.Sequential(LocalPool(pool), nn.Conv2d(channels, channels, 1))
        self.conv4 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv5 = nn.Conv2d(channels, channels, 1)
        self.norm1, self.norm2 = LayerNorm2d(channels), LayerNorm2d(channels)
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = _gate(self.conv2(self.conv1(self.norm1(x))))
        x = x + self.conv3(y * self.sca(y)) * self.beta
        y = self.conv5(_gate(self.conv4(self.norm2(x))))
        out: Tensor = x + y * self.gamma
        return out


def _gate(x: Tensor) -> Tensor:
    first, second = x.chunk(2, 1)
    return first * second


class NAFNet(nn.Module):
    """(N, 3, H, W) RGB in 0..1 to the same; H and W multiples of 2 to the number of levels (16).

    train_size  side of the training crops in px when the checkpoint was published with local pooling, else 0
    """

    def __init__(
        self,
        width: int = 32,
        middle_blk_num: int = 1,
        enc_blk_nums: tuple[int, ...] = (1, 1, 1, 28),
        dec_blk_nums: tuple[int, ...] = (1, 1, 1, 1),
        train_size: int = 0,
    ) -> None:
        super().__init__()
        window = train_size * 3 // 2
        self.intro = nn.Conv2d(3, width, 3, padding=1)
        self.ending = nn.Conv2d(width, 3, 3, padding=1)
        self.encoders, self.decoders = nn.ModuleList(), nn.ModuleList()
        self.ups, self.downs = nn.ModuleList(), nn.ModuleList()
        channels, level = width, 0
        for depth in enc_blk_nums:
            self.encoders.append(nn.Sequential(*(_Block(channels, window >> level) for _ in range(depth))))
            self.downs.append(nn.Conv2d(channels, 2 * channels, 2, 2))
            channels, level = 2 * channels, level + 1
        self.middle_blks = nn.Sequential(*(_Block(channels, window >> level) for _ in range(middle_blk_num)))
        for depth in dec_blk_nums:
            self.ups.append(nn.Sequential(nn.Conv2d(channels, 2 * channels, 1, bias=False), nn.PixelShuffle(2)))
            channels, level = channels // 2, level - 1
            self.decoders.append(nn.Sequential(*(_Block(channels, window >> level) for _ in range(depth))))
        self.multiple = 2 ** len(enc_blk_nums)
        self.local = bool(window)

    def forward(self, x: Tensor) -> Tensor:
        y = self.intro(x)
        skips = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            skips.append(encoder(y))
            y = down(skips[-1])
        y = self.middle_blks(y)
        for up, decoder in zip(self.ups, self.decoders, strict=True):
            y = decoder(up(y) + skips.pop())
        return torch.clamp(x + self.ending(y), 0, 1)

    def bottleneck(self) -> nn.Module:
        """The layer whose output distillation may imitate: the deepest map."""
        return self.middle_blks

    def load_warnings(self) -> list[str]:
        if self.local:
            return []
        return ["pooling is global; the published GoPro figures use local pooling: model.kwargs.train_size=256"]

    @staticmethod
    def kwargs_from_state(state: Mapping[str, Tensor]) -> dict[str, Any]:
        levels = count(state, "downs.")
        if not levels:
            raise KeyError("downs.0.weight")
        return {
            "width": state["intro.weight"].shape[0],
            "middle_blk_num": count(state, "middle_blks."),
            "enc_blk_nums": tuple(count(state, f"encoders.{i}.") for i in range(levels)),
            "dec_blk_nums": tuple(count(state, f"decoders.{i}.") for i in range(levels)),
        }
