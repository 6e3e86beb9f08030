"""DnCNN: plain 3×3 convolutions that predict the noise, which is then taken off the picture.

Zhang, Zuo, Chen, Meng, Zhang: "Beyond a Gaussian Denoiser", IEEE Transactions on Image Processing 2017. Parameter names
are those of KAIR, whose published files have batch normalisation folded into the convolutions: `model.N.…`, activations
counted. `fold` is not in the paper: as FFDNet (Zhang et al., 2018), it works on the picture folded into channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from exporter.generators.state_keys import count, root

# Layers and channels: many networks are called `model` and are plain convolutions, which the names do not tell apart.
PUBLISHED = ((17, 64), (20, 64))
IRCNN = (7, 64)  # the same names, but its layers are dilated


class DnCNN(nn.Module):
    """(N, in_nc, H, W) in 0..1 to the same, H and W being multiples of `fold`; in_nc is 1 (grey) or 3 (RGB)."""

    def __init__(self, in_nc: int = 1, nc: int = 64, nb: int = 17, fold: int = 1) -> None:
        super().__init__()
        if nb < 2 or fold < 1:
            raise ValueError(f"nb is {nb} and fold {fold}, of at least 2 and 1")
        self.fold = self.multiple = fold
        self.is_like_ircnn = (nb, nc) == IRCNN
        ends = in_nc * fold**2
        layers: list[nn.Module] = [nn.Conv2d(ends, nc, 3, padding=1), nn.ReLU(inplace=True)]
        for _ in range(nb - 2):
            layers += [nn.Conv2d(nc, nc, 3, padding=1), nn.ReLU(inplace=True)]
        self.model = nn.Sequential(*layers, nn.Conv2d(nc, ends, 3, padding=1))
        self._draw_weights()

    def _draw_weights(self) -> None:
        """As in the paper (He et al., 2015): what PyTorch draws fades over so many layers, and little is learned."""
        layers = [layer for layer in self.model if isinstance(layer, nn.Conv2d)]
        for layer in layers:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
        with torch.no_grad():
            layers[-1].weight.mul_(0.1)  # little is taken off at first: a clamp has no gradient where it acts

    def forward(self, x: Tensor) -> Tensor:
        if self.fold == 1:
            return torch.clamp(x - self.model(x), 0, 1)
        noise = F.pixel_shuffle(self.model(F.pixel_unshuffle(x, self.fold)), self.fold)
        return torch.clamp(x - noise, 0, 1)

    @staticmethod
    def kwargs_from_state(state: Mapping[str, Tensor]) -> dict[str, Any]:
        last = count(state, "model.") - 1
        nc, ends = state["model.0.weight"].shape[:2]
        if state[f"model.{last}.weight"].shape[0] != ends:
            raise ValueError("model.0.weight takes other channels than the last layer gives")
        if last % 2:
            raise ValueError(f"model.{last} is no convolution: after every one but the last stands a ReLU")
        in_nc = 3 if ends % 3 == 0 else 1
        fold = root(ends // in_nc, "channels of model.0.weight")
        return {"in_nc": in_nc, "nc": nc, "nb": last // 2 + 1, "fold": fold}

    @staticmethod
    def is_recognisable(kwargs: Mapping[str, Any]) -> bool:
        return (kwargs["nb"], kwargs["nc"]) in PUBLISHED

    def load_warnings(self) -> list[str]:
        if not self.is_like_ircnn:
            return []
        return ["IRCNN has as many layers and channels, and dilates them: its files give wrong pictures as a dncnn"]
