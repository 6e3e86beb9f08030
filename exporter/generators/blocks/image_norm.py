"""The normalisation of the GAN deblurring generators, which official inference runs on the current image."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

NormMode = Literal["instance", "running", "calibrated"]


def per_image(norm_mode: str) -> bool:
    """Whether `norm_mode` means each image's own statistics. Raises ValueError for an unknown mode."""
    if norm_mode not in ("instance", "running", "calibrated"):
        raise ValueError(f"norm_mode is {norm_mode!r}, not instance, running or calibrated")
    return norm_mode == "instance"


class ImageNorm2d(nn.BatchNorm2d):
    """Normalisation that the official inference runs in train mode: each image by its own statistics.

    `per_image=True` is that behaviour, written as plain mean and square so that every exporter takes it.
    `per_image=False` uses the stored running statistics: a constant per channel that folds into the convolution,
    and in training ordinary batch normalisation.
    """

    def __init__(self, channels: int, *, affine: bool, per_image: bool) -> None:
        super().__init__(channels, affine=affine)
        self.per_image = per_image

    def forward(self, x: Tensor) -> Tensor:
        if not self.per_image:
            return super().forward(x)
        centred = x - x.mean((2, 3), keepdim=True)
        y = centred * torch.rsqrt((centred * centred).mean((2, 3), keepdim=True) + self.eps)
        if self.affine:
            y = y * self.weight[None, :, None, None] + self.bias[None, :, None, None]
        return y
