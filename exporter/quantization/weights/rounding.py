"""Which way each weight is rounded: so that a layer's output changes least on the calibration images.

The objective is that of Nagel et al., "Up or Down? Adaptive Rounding for Post-Training Quantization", ICML 2020: each
weight goes to the code below or above it, and the sum over a layer's outputs of eᵀ·H·e is least, where e is the
rounding error of an output's weights and H the second moment of what the kernel sees. There it is relaxed and solved
by gradients; here one weight after the other is turned over while that helps, which needs no step size, no seed, and
ends where no single turn helps. H is gathered image by image, so memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from exporter.quantization.params import HIGHEST, weight_scales
from exporter.quantization.ranges.float_activations import not_finite
from exporter.quantization.weights.convolutions import Convolution, ConvolutionGraph, Doubles, Floats

PLACES = 256  # per image and layer
GOLDEN = 0.618034  # offsets n·GOLDEN mod 1 are spread evenly, however many images there are
SWEEPS = 20
SMALLEST_GAIN = 1e-6  # of a whole step's error: without it rounding noise would turn weights to and fro
SETTLED = 1e-4  # steps: a weight this near to a code stays there, above all the largest one, which is the scale


@dataclass(slots=True)
class Moments:
    """Of what a layer's kernel sees; sums until `mean` and `second` divide by the number of places."""

    places: int
    total: Doubles  # (groups, elements)
    products: Doubles | None  # (groups, elements, elements)

    @property
    def mean(self) -> Doubles:
        return self.total / self.places

    def second(self, central: bool) -> Doubles:
        """E[x·xᵀ], or the covariance."""
        assert self.products is not None
        second = self.products / self.places
        return second - self.mean[:, :, None] * self.mean[:, None, :] if central else second


def gather_moments(graph: ConvolutionGraph, images: Iterable[Floats], products: bool) -> list[Moments]:
    """One for each of the graph's convolutions; without `products` only means."""
    gathered: list[Moments] = []
    for layer in graph.convolutions:
        groups, _, size = layer.matrices().shape
        square = np.zeros((groups, size, size)) if products else None
        gathered.append(Moments(0, np.zeros((groups, size)), square))
    sources = {layer.source for layer in graph.convolutions}
    for number, values in enumerate(graph.activations(sources, images)):
        for layer, moments in zip(graph.convolutions, gathered, strict=True):
            seen = layer.patches(values[layer.source], PLACES, number * GOLDEN % 1)
            moments.places += seen.shape[1]
            moments.total += seen.sum(axis=1, dtype=np.float64)
            if not np.isfinite(moments.total).all():
                raise not_finite(f"before {layer.name}")
            if moments.products is not None:
                # Products of 1e-36 vanish in float32, those of 1e36 are infinite; a power of two rounds nothing.
                exponent = int(np.frexp(np.abs(seen).max(initial=0))[1])
                near_one = np.ldexp(seen, -exponent)
                products = np.matmul(near_one.transpose(0, 2, 1), near_one).astype(np.float64)
                moments.products += np.ldexp(products, 2 * exponent)
    return gathered


def nearest(layer: Convolution) -> tuple[Doubles, Doubles]:
    """The layer's weights in steps of their int8 code, and those steps: (groups, outputs, elements), (…, 1)."""
    weights = layer.matrices()
    scales = weight_scales(np.abs(weights).max(axis=2, keepdims=True))
    return weights / scales, scales


def round_adaptively(layer: Convolution, second: Doubles) -> float:
    """Put the layer's weights on their int8 codes; returns eᵀ·H·e as a share of that of rounding to the nearest.

    `second` is H, (groups, elements, elements).
    """
    steps, scales = nearest(layer)
    codes = np.round(steps)
    error = codes - steps
    product = error @ second
    before = float((error * product * scales**2).sum())
    free = np.abs(error) > SETTLED
    turn = np.where(error > 0, -1.0, 1.0)  # to the code on the weight's other side
    diagonal = np.einsum("gii->gi", second)
    order = np.argsort(-diagonal.sum(axis=0), kind="stable")
    for _ in range(SWEEPS):
        turned = 0
        for element in order:
            change = turn[:, :, element]
            own = diagonal[:, None, element]
            added = 2 * product[:, :, element] * change + own  # to eᵀ·H·e
            step = np.where(free[:, :, element] & (added < -SMALLEST_GAIN * own), change, 0.0)
            if not step.any():
                continue
            error[:, :, element] += step
            product += step[:, :, None] * second[:, None, element, :]
            turn[:, :, element] = np.where(step != 0, -change, change)
            turned += int(np.count_nonzero(step))
        if not turned:
            break
    rounded = np.clip(np.round(steps + error), -HIGHEST, HIGHEST) * scales
    layer.weights = rounded.reshape(layer.weights.shape).astype(np.float32)
    after = float((error * (error @ second) * scales**2).sum())
    return after / before if before > 0 else 1.0
