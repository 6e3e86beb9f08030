"""Cross-layer equalization: channels of one tensor get ranges alike, so that one scale serves them all.

Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019, with what is
measured in place of weight ranges, because our weights have a scale per output channel: ranges of activations, and for
a reader that mixes channels the geometric mean of both as in Xiao et al., "SmoothQuant", ICML 2023. A depthwise reader
has a scale per channel, so its channels are made fully alike at no cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from exporter.quantization.ranges.float_activations import not_finite
from exporter.quantization.weights.convolutions import Convolution, ConvolutionGraph, Doubles, Floats, Path

LARGEST_FACTOR = 16.0  # a channel that is nearly silent on the calibration images may speak up on others
HEADROOM = 1.25  # how far below ReLU6's ceiling a channel stays that did not reach it before


def equalize(graph: ConvolutionGraph, images: Iterable[Floats]) -> int:
    """Scale channels in `graph`; returns between how many layers. The network's picture stays the same.

    Behind ReLU that is exact. Behind ReLU6 it is for all values up to `HEADROOM` times the largest of the calibration
    images; a channel that reaches the ceiling on them keeps its scale.
    """
    paths = graph.paths()
    if not paths:
        return 0
    names = {path.made: f"behind {graph.convolutions[path.maker].name}" for path in paths}
    largest = _largest(graph, names, images)
    for path in paths:
        readers = [graph.convolutions[number] for number in path.readers]
        _scale(graph.convolutions[path.maker], readers, _factors(path, readers, largest[path.made]))
    graph.store()
    return len(paths)


def _largest(graph: ConvolutionGraph, names: Mapping[object, str], images: Iterable[Floats]) -> dict[object, Doubles]:
    """The largest magnitude of each channel of the tensors in `names`. Raises ValueError for NaN and infinity."""
    found: dict[object, Doubles] = {}
    for values in graph.activations(names.keys(), images):
        for tensor in names:
            now = np.abs(values[tensor]).max(axis=(0, 1, 2)).astype(np.float64)
            if not np.isfinite(now).all():
                raise not_finite(names[tensor])
            found[tensor] = np.maximum(found.get(tensor, now), now)
    return found


def _factors(path: Path, readers: list[Convolution], largest: Doubles) -> Doubles:
    """What each channel is multiplied with; 1 for one that is silent or clamped."""
    free = (largest > 0) & (largest < path.ceiling)
    if not free.any():
        return np.ones_like(largest)
    alive = np.where(free, largest, 1.0)
    wanted = 1 / alive
    if not all(reader.depthwise for reader in readers):
        weight = np.max([share_of_rows(reader) for reader in readers], axis=0)
        wanted = np.sqrt(np.maximum(weight, 1e-6) / alive)
    top = min(float(largest.max()), path.ceiling / HEADROOM)
    factors = wanted * top / (wanted * alive)[free].max()
    limit = np.maximum(np.minimum(LARGEST_FACTOR, path.ceiling / HEADROOM / alive), 1.0)
    factors = np.clip(factors, 1 / LARGEST_FACTOR, limit)
    return np.where(free, factors, 1.0)


def share_of_rows(reader: Convolution) -> Doubles:
    """For each input channel its largest weight, as a share of the largest in the same output's row."""
    weights = np.abs(reader.matrices()).reshape(reader.groups, -1, *reader.weights.shape[1:])
    shares = weights / np.maximum(weights.max(axis=(2, 3, 4), keepdims=True), np.finfo(float).tiny)
    return np.asarray(shares.max(axis=(1, 2, 3)).reshape(-1), np.float64)


def _scale(maker: Convolution, readers: list[Convolution], factors: Doubles) -> None:
    maker.weights = (maker.weights * factors[:, None, None, None]).astype(np.float32)
    maker.bias = (maker.bias * factors).astype(np.float32)
    for reader in readers:
        inputs = reader.weights.shape[3]
        per_group = factors.reshape(reader.groups, 1, 1, 1, inputs)
        grouped = reader.weights.reshape(reader.groups, -1, *reader.weights.shape[1:])
        reader.weights = (grouped / per_group).reshape(reader.weights.shape).astype(np.float32)
