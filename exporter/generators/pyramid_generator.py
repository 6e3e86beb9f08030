"""What both DeblurGAN-v2 generators share: heads on a feature pyramid, smoothing, the residual on the picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from exporter.generators.image_norm import ImageNorm2d


class Head(nn.Module):
    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.block0 = nn.Conv2d(inputs, width, 3, padding=1, bias=False)
        self.block1 = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.block1(F.relu(self.block0(x))))


class PyramidGenerator(nn.Module):
    """(N, 3, H, W) RGB in -1..1 to the same, from the five maps of a feature pyramid.

    `fpn` gives maps at 1/2 (half its width), 1/4, 1/8, 1/16 and 1/32.
    """

    def __init__(self, fpn: nn.Module, num_filters: int, num_filters_fpn: int, per_image: bool) -> None:
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
