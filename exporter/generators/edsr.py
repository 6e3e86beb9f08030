"""EDSR: residual blocks without batch norm, for single-image super-resolution.

Lim, Son, Kim, Nah, Lee: "Enhanced Deep Residual Networks for Single Image Super-Resolution", CVPR Workshops 2017.
Parameter names are those of the authors' EDSR-PyTorch (`head.0`, `body.N.body.0`, `tail.0.0`); BasicSR's are taken too.
Its mean shifts, stored as 1×1 convolutions, are folded into one subtraction and one addition.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from exporter.generators.blocks.enlarging import pixel_shuffle_steps, steps_scale
from exporter.generators.state_keys import count

DIV2K_MEAN = (0.4488, 0.4371, 0.4040)

_BASICSR = (
    (re.compile(r"^conv_first\."), "head.0."),
    (re.compile(r"^body\.(\d+)\.conv1\."), r"body.\1.body.0."),
    (re.compile(r"^body\.(\d+)\.conv2\."), r"body.\1.body.2."),
    (re.compile(r"^conv_after_body\."), "after."),
    (re.compile(r"^upsample\."), "tail.0."),
    (re.compile(r"^conv_last\."), "tail.1."),
)


class _Block(nn.Module):
    def __init__(self, channels: int, res_scale: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
        )
        self.res_scale = res_scale

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + (y if self.res_scale == 1 else y * self.res_scale)


class _Shift(nn.Module):
    """A 1×1 convolution that moves the mean of the colours; its weight is the identity."""

    def __init__(self, sign: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.eye(3).reshape(3, 3, 1, 1), requires_grad=False)
        self.bias = nn.Parameter(sign * 255 * torch.tensor(DIV2K_MEAN), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias[None, :, None, None]


class EDSR(nn.Module):
    """(N, 3, H, W) RGB in 0..255 to (N, 3, scale·H, scale·W), any size.

    Defaults are the baseline (1.5 M); the large model has 256 features, 32 blocks and res_scale 0.1.
    """

    def __init__(self, n_feats: int = 64, n_resblocks: int = 16, scale: int = 4, res_scale: float = 1.0) -> None:
        super().__init__()
        blocks: list[nn.Module] = [_Block(n_feats, res_scale) for _ in range(n_resblocks)]
        self.sub_mean, self.add_mean = _Shift(-1), _Shift(1)
        self.head = nn.Sequential(nn.Conv2d(3, n_feats, 3, padding=1))
        self.body = nn.Sequential(*blocks, nn.Conv2d(n_feats, n_feats, 3, padding=1))
        last = nn.Conv2d(n_feats, 3, 3, padding=1)
        self.tail = nn.Sequential(pixel_shuffle_steps(n_feats, scale), last)

    def forward(self, x: Tensor) -> Tensor:
        y = self.head(self.sub_mean(x))
        y = self.tail(y + self.body(y))
        return torch.clamp(self.add_mean(y), 0, 255)

    def official_key(self, key: str) -> str | None:
        """A key of EDSR-PyTorch or of BasicSR as ours."""
        return _ours(key, len(self.body) - 1)

    def optional_key(self, key: str) -> bool:
        """BasicSR's files keep the means in code."""
        return key.startswith(("sub_mean.", "add_mean."))

    @staticmethod
    def kwargs_from_state(state: Mapping[str, Tensor]) -> dict[str, Any]:
        blocks = count((key for key in state if ".body." in key or ".conv1." in key), "body.")
        ours = {_ours(key, blocks): value for key, value in state.items()}
        width = ours["head.0.weight"].shape[0]
        return {
            "n_feats": width,
            "n_resblocks": blocks,
            "scale": steps_scale(ours, "tail.0."),
            # the factor is not stored; both published sizes are known by their width
            "res_scale": 0.1 if width == 256 else 1.0,
        }


def _ours(key: str, blocks: int) -> str:
    for pattern, replacement in _BASICSR:
        key, found = pattern.subn(replacement, key)
        if found:
            break
    return key.replace("after.", f"body.{blocks}.") if key.startswith("after.") else key
