"""SRN-DeblurNet: one encoder-decoder run at 1/4, 1/2 and full size, each result fed to the next.

Tao, Gao, Shen, Wang, Jia: "Scale-Recurrent Network for Deep Image Deblurring", CVPR 2018. The official weights are a
TensorFlow 1 checkpoint (`g_net/enc1_2/conv1/weights`); see tf_checkpoint.py. Its conventions are kept: "SAME" padding
of strided 5×5 convolutions is one before and two after, and resizing is TensorFlow 1's, whose pixel (0, 0) is fixed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_WIDTHS = (1, 2, 4)  # of the three levels, in units of `width`


class _ResBlock(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 5, padding=2)
        self.conv2 = nn.Conv2d(channels, channels, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv2(F.relu(self.conv1(x)))
        return x + y


class _ConvLSTM(nn.Module):
    """A convolutional LSTM cell; gates in TensorFlow's order: input, new, forget (bias +1), output."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.LSTM_conv = nn.Conv2d(2 * channels, 4 * channels, 3, padding=1)

    def forward(self, x: Tensor, cell: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        i, new, f, o = self.LSTM_conv(torch.cat([x, hidden], 1)).chunk(4, 1)
        cell = cell * torch.sigmoid(f + 1) + torch.sigmoid(i) * torch.tanh(new)
        return cell, torch.tanh(cell) * torch.sigmoid(o)


class SRNDeblurNet(nn.Module):
    """(N, 3, H, W) RGB in 0..1 to the same; H and W multiples of 16.

    lstm  the recurrent variant: each colour is a grey picture of its own, and the deepest map has a memory
    """

    def __init__(self, width: int = 32, lstm: bool = False) -> None:
        super().__init__()
        colours = 1 if lstm else 3
        self.lstm = lstm
        for level, channels in enumerate((width * unit for unit in _WIDTHS), 1):
            if level == 1:
                self.enc1_1 = nn.Conv2d(2 * colours, channels, 5, padding=2)
            else:
                self.add_module(f"enc{level}_1", nn.Conv2d(channels // 2, channels, 5, 2))
                self.add_module(f"dec{level - 1}_4", nn.ConvTranspose2d(channels, channels // 2, 4, 2, 1))
            for i in (1, 2, 3):
                self.add_module(f"enc{level}_{i + 1}", _ResBlock(channels))
                self.add_module(f"dec{level}_{i}", _ResBlock(channels))
        if lstm:
            self.convLSTM = _ConvLSTM(4 * width)
        self.dec1_0 = nn.Conv2d(width, colours, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = (int(length) for length in x.shape)
        if self.lstm:
            x = x.reshape(n * c, 1, h, w)
        half = F.max_pool2d(x, 1, 2)  # every second pixel, in an operator that every engine has
        guess = quarter = F.max_pool2d(half, 1, 2)
        memory: tuple[Tensor, Tensor] | None = None
        for picture in (quarter, half, x):
            if picture is not quarter:
                guess = _twice(guess)
                memory = (_twice(memory[0]), _twice(memory[1])) if memory else None
            guess, memory = self._one_scale(torch.cat([picture, guess], 1), memory)
        return torch.clamp(guess.reshape(n, c, h, w), 0, 1)

    def _one_scale(
        self, x: Tensor, memory: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        part = self.get_submodule
        maps = []
        for level in (1, 2, 3):
            padded = x if level == 1 else F.pad(x, (1, 2, 1, 2))
            x = F.relu(part(f"enc{level}_1")(padded))
            for i in (2, 3, 4):
                x = part(f"enc{level}_{i}")(x)
            maps.append(x)
        if self.lstm:
            memory = self.convLSTM(x, *(memory or (torch.zeros_like(x), torch.zeros_like(x))))
            x = memory[1]
        for level in (3, 2, 1):
            if level < 3:
                x = F.relu(part(f"dec{level}_4")(x)) + maps[level - 1]
            for i in (3, 2, 1):
                x = part(f"dec{level}_{i}")(x)
        y: Tensor = self.dec1_0(x)
        return y, memory

    @staticmethod
    def official_key(key: str) -> str | None:
        """A TensorFlow variable's name as ours; None for the optimiser's own. Our own names stay."""
        if "/" not in key:
            return None if key in ("beta1_power", "beta2_power", "global_step", "Variable") else key
        found = re.fullmatch(r"(?:g_net/|LSTM/)+(.+)/(weights|biases)", key)
        if not found:
            return None
        return f"{found[1].replace('/', '.')}.{'weight' if found[2] == 'weights' else 'bias'}"

    @staticmethod
    def kwargs_from_state(state: Mapping[str, Tensor]) -> dict[str, Any]:
        ours = {SRNDeblurNet.official_key(key): value for key, value in state.items()}
        return {"width": ours["enc1_1.weight"].shape[0], "lstm": "convLSTM.LSTM_conv.weight" in ours}


def _twice(x: Tensor) -> Tensor:
    """TensorFlow 1's bilinear ×2, which keeps pixel (0, 0): each new pixel is halfway to the next, the last repeats."""
    y = F.interpolate(x, scale_factor=2, mode="nearest")
    y = torch.cat([y, y[:, :, -1:]], 2)
    y = torch.cat([y, y[:, :, :, -1:]], 3)
    return F.avg_pool2d(y, 2, 1)
