"""DeblurGAN-v2 with the Inception-ResNet-v2 backbone: the larger feature-pyramid deblurring generator.

Kupyn, Martyniuk, Wu, Wang: "DeblurGAN-v2", ICCV 2019, on Szegedy, Ioffe, Vanhoucke, Alemi: "Inception-v4,
Inception-ResNet and the Impact of Residual Connections on Learning", AAAI 2017. Convolutions of the backbone are
unpadded, so its maps are one to three pixels short and reflected back to size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from exporter.generators.blocks.feature_pyramid import Pyramid, PyramidGenerator
from exporter.generators.blocks.image_norm import ImageNorm2d, NormMode, per_image
from exporter.generators.state_keys import count

Kernel = int | tuple[int, int]

# Where the official module keeps the same layers a second time, under the classifier's own names.
_SECOND_COPY = {
    "conv2d_1a": "enc0",
    "conv2d_2a": "enc1.0",
    "conv2d_2b": "enc1.1",
    "conv2d_3b": "enc2.0",
    "conv2d_4a": "enc2.1",
    "mixed_5b": "enc3.0",
    "repeat": "enc3.1",
    "mixed_6a": "enc3.2",
    "repeat_1": "enc4.0",
    "mixed_7a": "enc4.1",
}


class _Conv(nn.Module):
    """Convolution, norm, ReLU; keys `conv` and `bn`."""

    def __init__(self, images: bool, inputs: int, outputs: int, kernel: Kernel, stride: int = 1, pad: Kernel = 0):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, pad, bias=False)
        self.bn = ImageNorm2d(outputs, affine=True, per_image=images)
        self.bn.eps = 1e-3

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))


class _Branches(nn.Module):
    """Parallel branches, concatenated; keys `branch0`, `branch1`, …"""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        for i, branch in enumerate(branches):
            self.add_module(f"branch{i}", branch)

    def forward(self, x: Tensor) -> Tensor:
        branches = (getattr(self, f"branch{i}") for i in range(self.branches))
        return torch.cat([branch(x) for branch in branches], 1)

    @property
    def branches(self) -> int:
        return sum(name.startswith("branch") for name in self._modules)


class _Residual(_Branches):
    """Branches, a 1×1 convolution back to `channels`, added at `scale`."""

    def __init__(self, channels: int, joined: int, scale: float, *branches: nn.Module) -> None:
        super().__init__(*branches)
        self.conv2d = nn.Conv2d(joined, channels, 1)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv2d(super().forward(x)) * self.scale + x)


def _mixed_5b(images: bool) -> nn.Module:
    return _Branches(
        _Conv(images, 192, 96, 1),
        nn.Sequential(_Conv(images, 192, 48, 1), _Conv(images, 48, 64, 5, pad=2)),
        nn.Sequential(_Conv(images, 192, 64, 1), _Conv(images, 64, 96, 3, pad=1), _Conv(images, 96, 96, 3, pad=1)),
        nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), _Conv(images, 192, 64, 1)),
    )


def _block35(images: bool) -> nn.Module:
    return _Residual(
        320,
        128,
        0.17,
        _Conv(images, 320, 32, 1),
        nn.Sequential(_Conv(images, 320, 32, 1), _Conv(images, 32, 32, 3, pad=1)),
        nn.Sequential(_Conv(images, 320, 32, 1), _Conv(images, 32, 48, 3, pad=1), _Conv(images, 48, 64, 3, pad=1)),
    )


def _mixed_6a(images: bool) -> nn.Module:
    deep = (_Conv(images, 320, 256, 1), _Conv(images, 256, 256, 3, pad=1), _Conv(images, 256, 384, 3, 2))
    return _Branches(_Conv(images, 320, 384, 3, 2), nn.Sequential(*deep), nn.MaxPool2d(3, 2))


def _block17(images: bool) -> nn.Module:
    deep = (
        _Conv(images, 1088, 128, 1),
        _Conv(images, 128, 160, (1, 7), pad=(0, 3)),
        _Conv(images, 160, 192, (7, 1), pad=(3, 0)),
    )
    return _Residual(1088, 384, 0.10, _Conv(images, 1088, 192, 1), nn.Sequential(*deep))


def _mixed_7a(images: bool) -> nn.Module:
    deep = (_Conv(images, 1088, 256, 1), _Conv(images, 256, 288, 3, pad=1), _Conv(images, 288, 320, 3, 2))
    return _Branches(
        nn.Sequential(_Conv(images, 1088, 256, 1), _Conv(images, 256, 384, 3, 2)),
        nn.Sequential(_Conv(images, 1088, 256, 1), _Conv(images, 256, 288, 3, 2)),
        nn.Sequential(*deep),
        nn.MaxPool2d(3, 2),
    )


class _Pyramid(Pyramid):
    def __init__(self, width: int, blocks: tuple[int, int], images: bool) -> None:
        enc0 = _Conv(images, 3, 32, 3, 2)
        enc1 = nn.Sequential(_Conv(images, 32, 32, 3), _Conv(images, 32, 64, 3, pad=1), nn.MaxPool2d(3, 2))
        enc2 = nn.Sequential(_Conv(images, 64, 80, 1), _Conv(images, 80, 192, 3), nn.MaxPool2d(3, 2))
        fives = nn.Sequential(*(_block35(images) for _ in range(blocks[0])))
        enc3 = nn.Sequential(_mixed_5b(images), fives, _mixed_6a(images))
        sevens = nn.Sequential(*(_block17(images) for _ in range(blocks[1])))
        enc4 = nn.Sequential(sevens, _mixed_7a(images))
        super().__init__((enc0, enc1, enc2, enc3, enc4), (32, 64, 192, 1088, 2080), width, images)

    def to_size(self, lateral: Tensor, level: int) -> Tensor:
        before, after = ((0, 1), (1, 1), (1, 2), (1, 1), (1, 1))[level]
        return F.pad(lateral, (before, after, before, after), "reflect")


class FPNInception(PyramidGenerator):
    """(N, 3, H, W) RGB in -1..1 to the same; H and W multiples of 32, at least 128.

    norm_mode is as in FPNMobileNet; `blocks` are the lengths of the backbone's two residual chains.
    """

    def __init__(
        self,
        norm_mode: NormMode = "instance",
        num_filters: int = 128,
        num_filters_fpn: int = 256,
        blocks: tuple[int, int] = (10, 20),
    ) -> None:
        images = per_image(norm_mode)
        super().__init__(_Pyramid(num_filters_fpn, blocks, images), num_filters, num_filters_fpn, images)

    @staticmethod
    def official_key(key: str) -> str | None:
        """A key of an official checkpoint as ours; None for the classifier's unused end (25.1 M parameters).

        The official module registers its encoder twice, as `fpn.inception.*` and as `fpn.encN.*`: same name, same
        tensor here.
        """
        if not key.startswith("fpn.inception."):
            return key
        layer, _, rest = key.removeprefix("fpn.inception.").partition(".")
        return f"fpn.{_SECOND_COPY[layer]}.{rest}" if layer in _SECOND_COPY else None

    @staticmethod
    def kwargs_from_state(state: Mapping[str, Tensor]) -> dict[str, Any]:
        keys = [FPNInception.official_key(key) or "" for key in state]
        return {
            "num_filters": state["head1.block0.weight"].shape[0],
            "num_filters_fpn": state["fpn.lateral4.weight"].shape[0],
            "blocks": (count(keys, "fpn.enc3.1."), count(keys, "fpn.enc4.0.")),
        }
