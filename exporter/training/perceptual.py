"""Features of an ImageNet MobileNetV2: what the perceptual term compares when there is no teacher to ask.

Johnson et al. (2016) and DeblurGAN-v2 use VGG-19; MobileNetV2 costs 1/60 of it, and its weights are at hand as they
start DeblurGAN-v2's encoder anyway.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from exporter.checkpoints.read import load_state
from exporter.errors import CheckpointError
from exporter.generators.deblurgan_v2 import FPNMobileNet, load_imagenet_encoder

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as torchvision's weights expect


class EncoderFeatures(nn.Module):
    """(N, 3, H, W) RGB 0..1 to the maps after features 1, 3, 6 and 10: strides 2, 4, 8, 16. Frozen."""

    def __init__(self, classifier: dict[str, Tensor]) -> None:
        super().__init__()
        network = FPNMobileNet("running")
        load_imagenet_encoder(network, classifier)
        fpn = network.fpn
        self.stages = nn.ModuleList([fpn.enc0, fpn.enc1, fpn.enc2, fpn.enc3])
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        self.register_buffer("std", torch.tensor(STD)[:, None, None])
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = (x - self.mean) / self.std
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def distance(self, restored: Tensor, sharp: Tensor) -> Tensor:
        """Mean absolute difference of the maps, each relative to the sharp one's mean magnitude."""
        with torch.no_grad():
            wanted = self(sharp)
        pairs = zip(self(restored), wanted, strict=True)
        return torch.stack([(ours - theirs).abs().mean() / theirs.abs().mean() for ours, theirs in pairs]).mean()


def read_features(path: Path) -> EncoderFeatures:
    """From a torchvision MobileNetV2 file. Raises CheckpointError when it is something else."""
    try:
        return EncoderFeatures(load_state(path))
    except ValueError as error:
        raise CheckpointError(f"{path} is no MobileNetV2 in torchvision's format: {error}") from None
