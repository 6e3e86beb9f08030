"""DeblurGAN-v2 with the MobileNetV2 backbone: the feature-pyramid deblurring generator.

Kupyn, Martyniuk, Wu, Wang: "DeblurGAN-v2: Deblurring (Orders-of-Magnitude) Faster and Better", ICCV 2019.
Parameter names are those of the official checkpoints, so `fpn_mobilenet.h5` loads key by key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from exporter.generators.blocks.feature_pyramid import Pyramid, PyramidGenerator
from exporter.generators.blocks.image_norm import ImageNorm2d, NormMode, per_image

# MobileNetV2 (Sandler et al., 2018) up to feature 15: expansion, channels, repeats, stride.
_BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 2, 2))


def _conv_bn_relu6(inputs: int, outputs: int, kernel: int, stride: int, groups: int, per_image: bool) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
        ImageNorm2d(outputs, affine=True, per_image=per_image),
        nn.ReLU6(inplace=True),
    )


class _InvertedResidual(nn.Module):
    """1×1 expand, 3×3 depthwise, 1×1 project; keys `conv.N` as in the original MobileNetV2 code."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int, per_image: bool) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers: list[nn.Module] = []
        if expansion != 1:
            layers += list(_conv_bn_relu6(inputs, hidden, 1, 1, 1, per_image))
        layers += list(_conv_bn_relu6(hidden, hidden, 3, stride, hidden, per_image))
        layers += [
            nn.Conv2d(hidden, outputs, 1, bias=False),
            ImageNorm2d(outputs, affine=True, per_image=per_image),
        ]
        self.conv = nn.Sequential(*layers)
        self.identity = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self.identity else y


def _mobilenet_features(per_image: bool) -> list[nn.Module]:
    features: list[nn.Module] = [_conv_bn_relu6(3, 32, 3, 2, 1, per_image)]
    channels = 32
    for expansion, outputs, repeats, stride in _BLOCKS:
        for i in range(repeats):
            block = _InvertedResidual(channels, outputs, stride if i == 0 else 1, expansion, per_image)
            features.append(block)
            channels = outputs
    return features


class FPNMobileNet(PyramidGenerator):
    """(N, 3, H, W) RGB in -1..1 to the same; H and W multiples of 32.

    norm_mode
        instance    the official inference: every norm uses the current image's statistics
        running     the statistics stored in the checkpoint: foldable, another function than `instance`
        calibrated  as running, after the statistics were re-estimated on the calibration set
    """

    def __init__(self, norm_mode: NormMode = "instance", num_filters: int = 64, num_filters_fpn: int = 128) -> None:
        images = per_image(norm_mode)
        features = _mobilenet_features(images)
        encoder = [nn.Sequential(*features[a:b]) for a, b in ((0, 2), (2, 4), (4, 7), (7, 11), (11, 16))]
        pyramid = Pyramid(encoder, (16, 24, 32, 64, 160), num_filters_fpn, images)
        super().__init__(pyramid, num_filters, num_filters_fpn, images)

    @staticmethod
    def official_key(key: str) -> str | None:
        """A key of an official checkpoint as ours; None for dead weights and for the encoder's second copy.

        The official module registers its encoder twice (`fpn.features.N` and `fpn.encK`), features 16 and up unused.
        """
        return None if key.startswith("fpn.features.") else key

    @staticmethod
    def kwargs_from_state(state: Mapping[str, Tensor]) -> dict[str, Any]:
        return {
            "num_filters": state["head1.block0.weight"].shape[0],
            "num_filters_fpn": state["fpn.lateral4.weight"].shape[0],
        }


def load_imagenet_encoder(network: FPNMobileNet, classifier: dict[str, Tensor]) -> None:
    """Start the encoder from an ImageNet MobileNetV2 in torchvision's format (`features.N.…` keys).

    Both list the same tensors in the same order; only the nesting of names differs.
    Raises ValueError when a tensor does not fit.
    """
    encoder = {k: v for k, v in network.fpn.state_dict().items() if k.startswith("enc")}
    wanted = [k for k in classifier if k.startswith("features.") and int(k.split(".")[1]) < 16]
    if len(wanted) != len(encoder):
        raise ValueError(f"the classifier has {len(wanted)} encoder tensors, FPNMobileNet has {len(encoder)}")
    for (key, ours), source in zip(encoder.items(), wanted, strict=True):
        if ours.shape != classifier[source].shape:
            raise ValueError(f"{source} is {tuple(classifier[source].shape)}, {key} is {tuple(ours.shape)}")
        ours.copy_(classifier[source])
