"""What both DeblurGAN-v2 generators share: the feature pyramid, heads on it, smoothing, the residual on the picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from exporter.generators.blocks.image_norm import ImageNorm2d


class Head(nn.Module):
    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.block0 = nn.Conv2d(inputs, width, 3, padding=1, bias=False)
        self.block1 = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.block1(F.relu(self.block0(x))))


class Pyramid(nn.Module):
    """Encoder, 1×1 laterals and top-down path: maps at 1/2 (half of `width`), 1/4, 1/8, 1/16 and 1/32.

    The five parts of the encoder come with the channels of the maps they give.
    """

    def __init__(self, encoder: Sequence[nn.Module], channels: Sequence[int], width: int, per_image: bool) -> None:
        super().__init__()
        self.enc0, self.enc1, self.enc2, self.enc3, self.enc4 = encoder
        self.td1, self.td2, self.td3 = (conv_norm_relu(width, width, per_image) for _ in range(3))
        self.lateral4 = nn.Conv2d(channels[4], width, 1, bias=False)
        self.lateral3 = nn.Conv2d(channels[3], width, 1, bias=False)
        self.lateral2 = nn.Conv2d(channels[2], width, 1, bias=False)
        self.lateral1 = nn.Conv2d(channels[1], width, 1, bias=False)
        self.lateral0 = nn.Conv2d(channels[0], width // 2, 1, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        e0 = self.enc0(x)
        e1 = self.enc1(e0)
        e2 = self.enc2(e1)
        e3 = self.enc3(e2)
        map4 = self.to_size(self.lateral4(self.enc4(e3)), 4)
        map3 = self.td1(self.to_size(self.lateral3(e3), 3) + upsample(map4, 2))
        map2 = self.td2(self.to_size(self.lateral2(e2), 2) + upsample(map3, 2))
        map1 = self.td3(self.to_size(self.lateral1(e1), 1) + upsample(map2, 2))
        return self.to_size(self.lateral0(e0), 0), map1, map2, map3, map4

    def to_size(self, lateral: Tensor, level: int) -> Tensor:
        """The map of a lateral at its share of the picture; an encoder without padding gives it some pixels short."""
        return lateral


class PyramidGenerator(nn.Module):
    """(N, 3, H, W) RGB in -1..1 to the same, from the five maps of a feature pyramid."""

    def __init__(self, fpn: Pyramid, num_filters: int, num_filters_fpn: int, per_image: bool) -> None:
        super().__init__()
        self.fpn = fpn
        self.per_image = per_image
        self.head1, self.head2, self.head3, self.head4 = (Head(num_filters_fpn, num_filters) for _ in range(4))
        self.smooth = conv_norm_relu(4 * num_filters, num_filters, per_image)
        self.smooth2 = conv_norm_relu(num_filters, num_filters // 2, per_image)
        self.final = nn.Conv2d(num_filters // 2, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        map0, map1, map2, map3, map4 = self.fpn(x)
        heads = (
            upsample(self.head4(map4), 8),
            upsample(self.head3(map3), 4),
            upsample(self.head2(map2), 2),
            self.head1(map1),
        )
        smoothed = upsample(self.smooth(torch.cat(heads, dim=1)), 2)
        smoothed = upsample(self.smooth2(smoothed + map0), 2)
        return torch.clamp(torch.tanh(self.final(smoothed)) + x, -1, 1)

    def bottleneck(self) -> nn.Module:
        """The layer whose output distillation may imitate: the deepest encoder map, 1/32."""
        return self.fpn.enc4

    def load_warnings(self) -> list[str]:
        if self.per_image:
            return [
                "every norm uses the current picture's statistics, as the official inference does (train mode); "
                "norm_mode=calibrated fixes them, which INT8 needs"
            ]
        return ["norms use stored statistics; the official inference uses the current picture's: norm_mode=instance"]


def conv_norm_relu(inputs: int, outputs: int, per_image: bool) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1),
        ImageNorm2d(outputs, affine=False, per_image=per_image),
        nn.ReLU(inplace=True),
    )


def upsample(x: Tensor, scale: int) -> Tensor:
    return F.interpolate(x, scale_factor=scale, mode="nearest")
