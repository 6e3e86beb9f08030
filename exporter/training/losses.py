"""The terms of the training loss. Pictures are (N, 3, H, W) RGB 0..1."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from exporter.training.options import FitOptions


def charbonnier(a: Tensor, b: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Smooth L1 (Charbonnier et al., 1994)."""
    return torch.sqrt((a - b) ** 2 + epsilon**2).mean()


def decibel_loss(a: Tensor, b: Tensor, epsilon: float = 2e-5) -> Tensor:
    """Minus the mean PSNR, in dB (Chen et al., HINet, 2021): nearly sharp images count as much as ruined ones.

    `epsilon` is an image at 47 dB: without it pictures that came in sharp have all the say, and the network learns
    to leave everything as it is; at 33 dB lightly blurred ones lose theirs (recipes/weights/README.md has figures).
    """
    return 10 * torch.log10(((a - b) ** 2).mean((1, 2, 3)) + epsilon).mean()


def frequency_l1(a: Tensor, b: Tensor) -> Tensor:
    """L1 between 2-D spectra (Cho et al., MIMO-UNet, 2021)."""
    difference = torch.fft.rfft2(a.float() - b.float(), norm="ortho")
    return torch.view_as_real(difference).abs().mean()


class Projection(nn.Module):
    """1×1 map from the student's bottleneck to the teacher's channels, pooled to the coarser of the two grids."""

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.map = nn.Conv2d(student_channels, teacher_channels, 1)

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Mean squared distance of channel-normalised features."""
        size = (min(student.shape[2], teacher.shape[2]), min(student.shape[3], teacher.shape[3]))
        mapped = F.adaptive_avg_pool2d(self.map(student), size)
        target = F.adaptive_avg_pool2d(teacher, size)
        return F.mse_loss(F.normalize(mapped.float(), dim=1), F.normalize(target.float(), dim=1))


class Tap:
    """Remembers what a layer last gave out. `gradient=False` keeps values only."""

    def __init__(self, layer: nn.Module) -> None:
        self.value = torch.empty(0)
        self._handle = layer.register_forward_hook(self._keep)

    def _keep(self, layer: nn.Module, inputs: object, output: Tensor) -> None:
        self.value = output

    def remove(self) -> None:
        self._handle.remove()


def bottleneck_of(network: nn.Module) -> nn.Module | None:
    """The layer a network offers for feature distillation, looking through range wrappers."""
    for module in network.modules():
        offer = getattr(module, "bottleneck", None)
        if callable(offer):
            layer: nn.Module = offer()
            return layer
    return None


def picture_loss(
    options: FitOptions, restored: Tensor, sharp: Tensor, teacher_output: Tensor | None
) -> dict[str, Tensor]:
    """The weighted terms that need pictures alone; `teacher_output` is the teacher's picture or None."""
    terms: dict[str, Tensor] = {}
    if options.pixel:
        terms["pixel"] = options.pixel * charbonnier(restored, sharp)
    if options.decibel:
        terms["decibel"] = options.decibel * decibel_loss(restored, sharp)
    if options.teacher and teacher_output is not None:
        terms["teacher"] = options.teacher * F.l1_loss(restored, teacher_output)
    if options.frequency:
        terms["frequency"] = options.frequency * frequency_l1(restored, sharp)
    return terms
