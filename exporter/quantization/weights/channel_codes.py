"""A code per channel for what a norm reads, though int8 has one per tensor.

A norm divides each channel by its own spread, so a quiet channel, or one far from zero, leaves it with few of the 256
steps that the whole tensor shares. The convolution before it makes every channel as wide as the loudest one and puts
its middle at zero; in float, behind the int8 tensor, a product and a sum take that back, so that the numbers the norm
reads are the same. It is the per-channel form of activations in Jacob et al., "Quantization and Training of Neural
Networks for Efficient Integer-Arithmetic-Only Inference", CVPR 2018, equation 1, at the price of two operators.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from exporter.quantization.params import STEPS
from exporter.quantization.ranges.float_activations import not_finite

Doubles = NDArray[np.float64]
Model = TypeVar("Model")

HEADROOM = 1 / 16  # of the widest channel: a quiet one may speak up on other pictures
LEAST_DB = 30.0  # of a norm's result beside the rounding before it; with less the convolution stays in float
WORTH = 2.0  # times as many steps for some channel: one bit


@dataclass(frozen=True, slots=True)
class ChannelCodes:
    """real = coded · scales + shifts, one of each for every channel."""

    scales: Doubles
    shifts: Doubles

    @classmethod
    def none(cls, channels: int) -> ChannelCodes:
        return cls(np.ones(channels), np.zeros(channels))

    def coded(self, weights: NDArray[Any], bias: NDArray[Any], axis: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Weights, with output channels along `axis`, and bias of the convolution that makes coded values."""
        shape = [-1 if dim == axis % weights.ndim else 1 for dim in range(weights.ndim)]
        made = weights / self.scales.reshape(shape)
        return made.astype(np.float32), ((bias - self.shifts) / self.scales).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Channels:
    """One tensor's channels: limits over all images; means and variances of each image, (images, channels)."""

    low: Doubles
    high: Doubles
    means: Doubles
    variances: Doubles

    def codes(self, *, clamped: bool) -> ChannelCodes | None:
        """The codes that fit; None where they gain nobody a bit.

        `clamped`: a ReLU stands between the convolution and the values, so that zero stays where it is.
        """
        shifts = np.zeros_like(self.low) if clamped else (self.low + self.high) / 2
        widths = np.abs(self.high) if clamped else self.high - self.low
        whole = max(float(self.high.max()), 0.0) - min(float(self.low.min()), 0.0)
        roomy = widths + HEADROOM * float(widths.max())
        if not roomy.max() > 0 or whole < WORTH * float(roomy.min()):
            return None
        return ChannelCodes(roomy / roomy.max(), shifts)

    def loss_db(self, codes: ChannelCodes, *, planes: bool) -> float:
        """How far below what a norm leaves the int8 rounding before it lies, on the image that loses most.

        `planes`: the norm divides each plane by its own spread, else all by that of all.
        """
        low, high = ((ends - codes.shifts) / codes.scales for ends in (self.low, self.high))
        step = (max(float(high.max()), 0.0) - min(float(low.min()), 0.0)) / STEPS
        rounding = (step * codes.scales) ** 2 / 12
        if planes:
            shares = np.minimum(rounding / np.maximum(self.variances, np.finfo(float).tiny), 1.0).mean(axis=1)
        else:
            shares = rounding.mean() / np.maximum(self.variances.mean(axis=1) + self.means.var(axis=1), 1e-300)
        return float(-10 * np.log10(max(float(shares.max()), 1e-30)))


@dataclass(frozen=True, slots=True)
class Coded(Generic[Model]):
    """A float model that computes the same, and the convolutions, by what they make, that int8 is too coarse for."""

    model: Model
    float_layers: frozenset[str]


def channels_seen(
    activations: Iterable[Mapping[Any, NDArray[np.float32]]], names: Mapping[Any, str], axis: int
) -> dict[Any, Channels]:
    """The channels of the tensors in `names`, over all images. `axis` is that of the channels.

    Raises ValueError with the tensor's name for a value that is not finite.
    """
    found: dict[Any, list[Doubles]] = {tensor: [] for tensor in names}
    for values in activations:
        for tensor, name in names.items():
            seen = np.moveaxis(values[tensor], axis, 0).reshape(values[tensor].shape[axis], -1).astype(np.float64)
            if not np.isfinite(seen).all():
                raise not_finite(name)
            found[tensor].append(np.stack([seen.min(1), seen.max(1), seen.mean(1), seen.var(1)]))
    return {tensor: _over_all(np.stack(each)) for tensor, each in found.items()}


def _over_all(images: Doubles) -> Channels:
    """`images`: (images, 4, channels)."""
    return Channels(images[:, 0].min(axis=0), images[:, 1].max(axis=0), images[:, 2], images[:, 3])
