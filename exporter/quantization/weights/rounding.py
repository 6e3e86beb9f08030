"""Which way each weight is rounded: so that a layer's output changes least on the calibration images.

The objective is that of Nagel et al., "Up or Down? Adaptive Rounding for Post-Training Quantization", ICML 2020: each
weight goes to a step near it, and the sum over a layer's outputs of eᵀ·H·e is least, where e is the rounding error of
an output's weights and H the second moment of what the kernel sees. There it is relaxed and solved by gradients. Here
one weight after the other is rounded and those that are left make up for its error (Frantar et al., "GPTQ", ICLR 2023);
then one after the other is turned over while that helps. Neither needs a step size or a seed, and it ends where no
single turn helps. H is gathered image by image, so memory does not grow with their number.
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
DAMPING = 1e-3  # of the mean of H's diagonal is added to it: what is seldom seen is not trusted to make up for much
SETTLED = 1e-4  # steps: a weight this near to a step stays there, above all the largest one, which is the scale


@dataclass(slots=True)
class Moments:
    """Of what a layer's kernel sees; sums until `mean` and `second` divide by the number of places."""

    places: int
    total: Doubles  # (groups, elements)
    products: Doubles | None  # (groups, elements, elements)

    def add(self, seen: Floats) -> None:
        """What the kernel sees at some places: (groups, places, elements)."""
        self.places += seen.shape[1]
        by_place = seen.transpose(1, 0, 2).astype(np.float64, order="C").reshape(seen.shape[1], -1)
        self.total += by_place.sum(axis=0).reshape(self.total.shape)
        if self.products is not None and np.isfinite(self.total).all():
            # Products of 1e-36 vanish in float32, those of 1e36 are infinite; a power of two rounds nothing.
            exponent = int(np.frexp(max(seen.max(initial=0), -seen.min(initial=0)))[1])
            near_one = seen * np.float32(2.0**-exponent) if abs(exponent) < 126 else np.ldexp(seen, -exponent)
            products = np.matmul(near_one.transpose(0, 2, 1), near_one)
            self.products += np.multiply(products, 4.0**exponent, dtype=np.float64)

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
            moments.add(layer.patches(values[layer.source], PLACES, number * GOLDEN % 1))
            if not np.isfinite(moments.total).all():
                raise not_finite(f"before {layer.name}")
    return gathered


def nearest(layer: Convolution) -> tuple[Doubles, Doubles]:
    """The layer's weights in int8 steps, and what a step is: (groups, outputs, elements), (…, 1)."""
    weights = layer.matrices()
    scales = weight_scales(np.abs(weights).max(axis=2, keepdims=True))
    return weights / scales, scales


def round_adaptively(layer: Convolution, second: Doubles) -> float:
    """Put the layer's weights on their int8 steps; returns eᵀ·H·e as a share of that of rounding to the nearest.

    `second` is H, (groups, elements, elements).
    """
    steps, scales = nearest(layer)
    error = np.round(steps) - steps
    before = float((error * (error @ second) * scales**2).sum())
    error = _better(_made_up_for(steps, second), error, second)
    error = _turned(error, error @ second, second)
    rounded = np.clip(np.round(steps + error), -HIGHEST, HIGHEST) * scales
    layer.weights = rounded.reshape(layer.weights.shape).astype(np.float32)
    after = float((error * (error @ second) * scales**2).sum())
    return after / before if before > 0 else 1.0


def _made_up_for(steps: Doubles, second: Doubles) -> Doubles:
    """The error when each weight is rounded with what it has to make up for; those seen most are rounded first.

    A weight that is settled stays where it is.
    """
    mean = np.einsum("gii->g", second)[:, None, None] / second.shape[-1]
    relative = second / np.where(mean > 0, mean, 1) + DAMPING * np.eye(second.shape[-1])
    order = np.argsort(-np.einsum("gii->gi", relative), axis=1, kind="stable")
    relative = np.take_along_axis(np.take_along_axis(relative, order[:, :, None], 1), order[:, None, :], 2)
    passed_on = np.stack([_passed_on(each) for each in relative])
    wanted = np.take_along_axis(steps, order[:, None, :], 2)
    nearest_steps = np.round(wanted)
    settled = np.abs(nearest_steps - wanted) <= SETTLED
    left, rounded = wanted.copy(), nearest_steps
    for i in range(left.shape[2]):
        near = np.clip(np.round(left[:, :, i]), -HIGHEST, HIGHEST)
        rounded[:, :, i] = np.where(settled[:, :, i], rounded[:, :, i], near)
        missing = (left[:, :, i] - rounded[:, :, i]) / passed_on[:, i, i, None]
        left[:, :, i + 1 :] -= missing[:, :, None] * passed_on[:, None, i, i + 1 :]
    error = np.empty_like(steps)
    np.put_along_axis(error, order[:, None, :], rounded - wanted, 2)
    return error


def _better(one: Doubles, other: Doubles, second: Doubles) -> Doubles:
    """Of each output the smaller of two errors."""
    costs = [(error * (error @ second)).sum(axis=2, keepdims=True) for error in (one, other)]
    return np.where(costs[0] < costs[1], one, other)


def _passed_on(second: Doubles) -> Doubles:
    """How much of each element's error those behind it take over, upper triangular; nothing where nothing varies."""
    try:
        return np.asarray(np.linalg.cholesky(np.linalg.inv(second)).T, np.float64)
    except np.linalg.LinAlgError:  # what is left of a constant after its mean is noise, of either sign
        return np.eye(len(second))


def _turned(error: Doubles, product: Doubles, second: Doubles) -> Doubles:
    """`error`, (groups, outputs, elements), when every weight has been turned over that gains by it; `product` is e·H.

    Each output is on its own: one that a whole sweep leaves as it is has come to its end.
    """
    groups, outputs, elements = error.shape
    found, product = error.reshape(-1, elements).copy(), product.reshape(-1, elements).copy()
    rows, group = np.arange(len(found)), np.repeat(np.arange(groups), outputs)
    diagonal = np.einsum("gii->gi", second)
    order = np.argsort(-diagonal.sum(axis=0), kind="stable")
    # To the step on the weight's other side, twice. Columns are looked at one by one, so they lie together in memory.
    change = np.asfortranarray(np.where(found > 0, -2.0, 2.0) * (np.abs(found) > SETTLED))
    for _ in range(SWEEPS):
        own = np.asfortranarray(diagonal[group])
        worth, moved = -SMALLEST_GAIN * own, np.zeros(len(rows), bool)
        for element in order:
            added = product[:, element] * change[:, element]  # to eᵀ·H·e
            added += own[:, element]
            (better,) = (added < worth[:, element]).nonzero()
            if better.size:
                step = change[better, element] / 2
                found[rows[better], element] += step
                product[better] += step[:, None] * second[group[better], element]
                change[better, element] = -2 * step
                moved[better] = True
        if not moved.any():
            break
        rows, group, product, change = rows[moved], group[moved], product[moved], np.asfortranarray(change[moved])
    return found.reshape(error.shape)
