"""SRVGGNetCompact: plain 3×3 convolutions, one pixel shuffle at the end, added to the enlarged picture.

Wang, Xie, Dong, Shan: "Real-ESRGAN", ICCV Workshops 2021, and its "general-x4v3" and "animevideov3" weights. Parameter
names are those of BasicSR: `body.N.…`, activations counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from exporter.generators.state_keys import count, root


class SRVGGNetCompact(nn.Module):
    """(N, 3, H, W) RGB in 0..1 to (N, 3, upscale·H, upscale·W), any size."""

    def __init__(
        self,
        num_feat: int = 64,
        num_conv: int = 32,
        upscale: int = 4,
        act_type: Literal["prelu", "relu", "leakyrelu"] = "prelu",
    ) -> None:
        super().__init__()
        self.upscale = upscale
        layers: list[nn.Module] = [nn.Conv2d(3, num_feat, 3, padding=1), _activation(act_type, num_feat)]
        for _ in range(num_conv):
            layers += [nn.Conv2d(num_feat, num_feat, 3, padding=1), _activation(act_type, num_feat)]
        self.body = nn.ModuleList([*layers, nn.Conv2d(num_feat, 3 * upscale**2, 3, padding=1)])

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for layer in self.body:
            y = layer(y)
        base = F.interpolate(x, scale_factor=self.upscale, mode="nearest") if self.upscale > 1 else x
        return torch.clamp(F.pixel_shuffle(y, self.upscale) + base, 0, 1)

    @staticmethod
    def kwargs_from_state(state: Mapping[str, Tensor]) -> dict[str, Any]:
        last = count(state, "body.") - 1
        colours = state[f"body.{last}.weight"].shape[0]
        if colours % 3 or last < 2 or last % 2:
            raise ValueError(f"body.{last}.weight does not end in RGB")
        return {
            "num_feat": state["body.0.weight"].shape[0],
            "num_conv": last // 2 - 1,
            "upscale": root(colours // 3, f"outputs per colour of body.{last}.weight"),
            # PReLU has weights; ReLU and LeakyReLU leave no trace, and published compact nets use PReLU only
            "act_type": "prelu" if "body.1.weight" in state else "relu",
        }


def _activation(name: str, channels: int) -> nn.Module:
    if name == "prelu":
        return nn.PReLU(channels)
    if name in ("relu", "leakyrelu"):
        return nn.ReLU(inplace=True) if name == "relu" else nn.LeakyReLU(0.1, inplace=True)
    raise ValueError(f"act_type is {name!r}, not prelu, relu or leakyrelu")
