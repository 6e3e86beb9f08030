"""DeblurGAN: a ResNet between two strided and two transposed convolutions, added to the blurred picture.

Kupyn, Budzan, Mykhailych, Mishkin, Matas: "DeblurGAN: Blind Motion Deblurring Using Conditional Adversarial
Networks", CVPR 2018. Parameter names are those of the official `latest_net_G.pth`: `model.N.…`.

The official code changed its residual block in March 2019: weights of 2018 have two convolutions per block, later
ones only one. Dropout sits in the middle of the block and moves the second convolution's number from 5 to 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from exporter.generators.blocks.image_norm import ImageNorm2d, NormMode, per_image


class _Block(nn.Module):
    def __init__(self, channels: int, convolutions: int, dropout: bool, images: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = [*_padded_conv(channels, images)]
        if convolutions == 2 or dropout:
            layers.append(nn.ReLU(inplace=True))
        if dropout:
            layers.append(nn.Dropout(0.5))
        if convolutions == 2:
            layers += _padded_conv(channels, images)
        self.conv_block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv_block(x)
        return x + y


def _padded_conv(channels: int, images: bool) -> list[nn.Module]:
    norm = ImageNorm2d(channels, affine=False, per_image=images)
    return [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), norm]


class ResnetGenerator(nn.Module):
    """(N, 3, H, W) RGB in -1..1 to the same; H and W multiples of 4.

    convolutions    2 (weights of 2018) or 1 per residual block
    dropout         whether the block holds a dropout layer (it shifts key numbers; it is off in inference here)
    learn_residual  whether the result is added to the picture; all published weights do
    norm_mode       as in DeblurGAN-v2: instance, running, calibrated
    """

    def __init__(
        self,
        ngf: int = 64,
        n_blocks: int = 9,
        convolutions: int = 2,
        dropout: bool = True,
        learn_residual: bool = True,
        norm_mode: NormMode = "instance",
    ) -> None:
        super().__init__()
        if convolutions not in (1, 2):
            raise ValueError(f"convolutions is {convolutions}, not 1 or 2 per block")
        images = per_image(norm_mode)
        self.learn_residual = learn_residual
        self.images, self.dropout = images, dropout
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), *_normed(nn.Conv2d(3, ngf, 7), images)]
        layers += _normed(nn.Conv2d(ngf, 2 * ngf, 3, 2, 1), images)
        layers += _normed(nn.Conv2d(2 * ngf, 4 * ngf, 3, 2, 1), images)
        layers += [_Block(4 * ngf, convolutions, dropout, images) for _ in range(n_blocks)]
        layers += _normed(nn.ConvTranspose2d(4 * ngf, 2 * ngf, 3, 2, 1, output_padding=1), images)
        layers += _normed(nn.ConvTranspose2d(2 * ngf, ngf, 3, 2, 1, output_padding=1), images)
        self.model = nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(ngf, 3, 7), nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.model(x)
        return torch.clamp(x + y, -1, 1) if self.learn_residual else y

    def optional_key(self, key: str) -> bool:
        """Whether a checkpoint may lack `key`: stored statistics nobody reads in instance mode."""
        return self.images and key.rsplit(".", 1)[-1] in ("running_mean", "running_var")

    def load_warnings(self) -> list[str]:
        statistics = "as here" if self.images else "here stored ones are used: norm_mode=instance is the official one"
        lines = [f"the official inference normalises by the current picture's statistics (train mode), {statistics}"]
        if self.dropout:
            lines.append("the official inference also keeps dropout on; here it is off: one picture, one result")
        return lines

    @staticmethod
    def kwargs_from_state(state: Mapping[str, Tensor]) -> dict[str, Any]:
        blocks = {key.split(".")[1] for key in state if key.startswith("model.") and ".conv_block." in key}
        if not blocks:
            raise KeyError("model.10.conv_block.1.weight")
        first = f"model.{min(map(int, blocks))}.conv_block."
        second = next((number for number in (5, 6) if f"{first}{number}.weight" in state), None)
        return {
            "ngf": state["model.1.weight"].shape[0],
            "n_blocks": len(blocks),
            "convolutions": 2 if second else 1,
            "dropout": second != 5,
        }


def _normed(conv: nn.Conv2d | nn.ConvTranspose2d, images: bool) -> list[nn.Module]:
    return [conv, ImageNorm2d(conv.out_channels, affine=False, per_image=images), nn.ReLU(inplace=True)]
