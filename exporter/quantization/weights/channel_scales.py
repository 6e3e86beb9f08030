"""Channels as wide as each other in every tensor of a graph, so that one int8 scale serves them all.

Cross-layer equalization (Nagel et al., ICCV 2019; quantization/weights/equalization.py) beyond chains of convolutions:
through sums, concatenations, parts and stored factors the same channel lies in several tensors, and is scaled by one
number in all of them. Convolutions make and take every scale, and stored numbers are scaled along. An operator that
would not stand it gets its channels as they were, from a product before it and one behind it, and stays in float
between them, where channels are so unlike that it is worth it. The picture stays the same but for float32's rounding.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from exporter.quantization.ranges.float_activations import not_finite
from exporter.quantization.weights.convolutions import Convolution, Doubles, Floats, Tensor
from exporter.quantization.weights.equalization import share_of_rows

Places = NDArray[np.intp]
Factors = Mapping[Tensor, Doubles]  # of each channel

# How much quieter than what its weights could make of its inputs a channel is believed to stay on other pictures.
MOST_SILENT = 1 / 64
LEAST_WEIGHT = 1e-6  # of the largest in its row
WORTH = 4.0  # times as unlike: two bits


@dataclass(frozen=True, slots=True)
class Tie:
    """Channels `ones` of tensor `one` are channels `others` of tensor `other`."""

    one: Tensor
    ones: Places
    other: Tensor
    others: Places


@dataclass(slots=True)
class Channels:
    """The channels of a graph's activations: how many, which are the same, and the tensors whose scale stays.

    `stops`: operators without weights that would not stand scaled channels of a tensor they take or make.
    """

    counts: dict[Tensor, int] = field(default_factory=dict)
    ties: list[Tie] = field(default_factory=list)
    fixed: set[Tensor] = field(default_factory=set)
    stops: list[tuple[Any, Tensor]] = field(default_factory=list)

    def tie(self, one: Tensor, other: Tensor, first: int = 0) -> None:
        """All channels of `other` are those of `one` from `first` on."""
        count = self.counts[other]
        self.ties.append(Tie(one, np.arange(first, first + count), other, np.arange(count)))


class ScalableGraph(Protocol):
    """A float graph whose channels can be scaled; tensors have their channels last."""

    convolutions: list[Convolution]

    @property
    def channels(self) -> Channels: ...

    def made_by(self, number: int) -> Tensor:
        """What that convolution makes, its activation function included."""
        ...

    def unscaled(self, operator: Any, tensor: Tensor) -> Tensor:
        """Let `operator` take, or make, not `tensor` but what a product with one stored number for each channel, all 1
        so far, makes of it, or makes it of; both are to stay in float."""
        ...

    def activations(self, tensors: Collection[Tensor], images: Iterable[Floats]) -> Iterator[Mapping[Tensor, Floats]]:
        """One set per image, of the graph as it is stored now."""
        ...

    def scale(self, factors: Factors) -> None:
        """Multiply the channels of every tensor, weights and stored numbers accordingly, and store that."""
        ...


def make_alike(graph: ScalableGraph, images: Iterable[Floats]) -> bool:
    """Scale the channels of `graph`; False where there is nothing to scale. Raises ValueError for NaN and infinity."""
    movable = _Solver(graph, {}).movable()
    if not movable:
        return False
    sources = {layer.source for number, layer in enumerate(graph.convolutions) if graph.made_by(number) in movable}
    largest = _largest(graph, movable | (sources & graph.channels.counts.keys()), images)
    _believe(graph, largest)
    _settle_stops(graph, largest)
    factors = _Solver(graph, largest).factors()
    if not factors:
        return False
    graph.scale(factors)
    return True


def _settle_stops(graph: ScalableGraph, largest: dict[Tensor, Doubles]) -> None:
    """Products go around stops where without them channels would be scaled much; what others take or make stays."""
    channels, wanted = graph.channels, _Solver(graph, largest).factors()
    for operator, tensor in channels.stops:
        factors = wanted.get(tensor)
        if factors is None or factors.max() < WORTH * factors.min():
            channels.fixed.add(tensor)
            continue
        own = graph.unscaled(operator, tensor)
        channels.counts[own], largest[own] = channels.counts[tensor], largest[tensor]
        channels.fixed.add(own)


def _largest(graph: ScalableGraph, tensors: set[Tensor], images: Iterable[Floats]) -> dict[Tensor, Doubles]:
    """The largest magnitude of each channel of `tensors`."""
    found: dict[Tensor, Doubles] = {}
    for values in graph.activations(tensors, images):
        for tensor in tensors:
            magnitudes = np.abs(values[tensor])
            now = magnitudes.reshape(-1, magnitudes.shape[-1]).max(axis=0).astype(np.float64)
            if not np.isfinite(now).all():
                raise not_finite(str(tensor))
            found[tensor] = np.maximum(found.get(tensor, now), now)
    return found


def _believe(graph: ScalableGraph, largest: dict[Tensor, Doubles]) -> None:
    """No channel is taken to be much quieter than its convolution could make it."""
    for number, layer in enumerate(graph.convolutions):
        made = graph.made_by(number)
        if made in largest and layer.source in largest:
            taken = largest[layer.source].reshape(layer.groups, 1, 1, layer.weights.shape[3])
            weights = np.abs(layer.weights).reshape(layer.groups, -1, *layer.weights.shape[1:]).astype(np.float64)
            most = (weights * taken[:, None]).sum(axis=(2, 3, 4)).reshape(-1) + np.abs(layer.bias)
            largest[made] = np.maximum(largest[made], MOST_SILENT * most)


def scale_weights(layer: Convolution, made: Doubles | None, taken: Doubles | None) -> None:
    """Those of a convolution whose channels it makes and takes are multiplied; None: they are not."""
    if made is not None:
        layer.weights = (layer.weights * made[:, None, None, None]).astype(np.float32)
        layer.bias = (layer.bias * made).astype(np.float32)
    if taken is not None:
        rows = layer.weights.reshape(layer.groups, -1, *layer.weights.shape[1:])
        columns = taken.reshape(layer.groups, 1, 1, 1, layer.weights.shape[3])
        layer.weights = (rows / columns).reshape(layer.weights.shape).astype(np.float32)


class _Solver:
    """Every channel of every tensor has a place in one long array; `_same` gives those that are one the same number.

    `largest` is needed of the movable tensors.
    """

    def __init__(self, graph: ScalableGraph, largest: Mapping[Tensor, Doubles]) -> None:
        channels = graph.channels
        self._graph, self._channels = graph, channels
        starts = np.cumsum([0, *channels.counts.values()])
        self._places = {
            tensor: np.arange(start, start + count)
            for (tensor, count), start in zip(channels.counts.items(), starts, strict=False)
        }
        self._size = int(starts[-1])
        known = [largest.get(tensor, np.zeros(count)) for tensor, count in channels.counts.items()]
        self._largest = np.concatenate([*known, np.zeros(0)])
        pairs = [(self._places[tie.one][tie.ones], self._places[tie.other][tie.others]) for tie in channels.ties]
        self._same = _joined(self._size, pairs)

    def movable(self) -> set[Tensor]:
        """Tensors with a channel that may be scaled."""
        free = self._free()
        return {tensor for tensor, places in self._places.items() if free[places].any()}

    def _free(self) -> NDArray[np.bool_]:
        free = np.ones(self._size, bool)
        for tensor in self._channels.fixed & self._places.keys():
            free[self._same[self._places[tensor]]] = False
        return free[self._same]

    def factors(self) -> dict[Tensor, Doubles]:
        free = self._free()
        loudest = np.zeros(self._size)
        np.maximum.at(loudest, self._same, self._largest)
        loudest = loudest[self._same]
        free &= loudest > 0
        if not free.any():
            return {}
        wanted = np.where(free, self._wanted(np.where(loudest > 0, loudest, 1.0)), 1.0)
        wanted = np.where(free, wanted * self._levels(wanted, free), 1.0)
        return {tensor: wanted[places] for tensor, places in self._places.items() if free[places].any()}

    def _wanted(self, loudest: Doubles) -> Doubles:
        """All alike; where a convolution mixes channels, activations and weights share what is to be levelled."""
        weights = np.zeros(self._size)
        for layer in self._graph.convolutions:
            if not layer.depthwise and layer.source in self._places:
                np.maximum.at(weights, self._same[self._places[layer.source]], share_of_rows(layer))
        weights = weights[self._same]
        return np.where(weights > 0, np.sqrt(np.maximum(weights, LEAST_WEIGHT) / loudest), 1 / loudest)

    def _levels(self, wanted: Doubles, free: NDArray[np.bool_]) -> Doubles:
        """What makes channels that are scaled as loud as those beside them that are not; else the loudest stays."""
        rows = [(places[:-1], places[1:]) for places in self._rows(free)]
        beside = _joined(self._size, [*rows, (np.arange(self._size), self._same)])
        before, after, kept = (np.zeros(self._size) for _ in range(3))
        np.maximum.at(before, beside[free], self._largest[free])
        np.maximum.at(after, beside[free], (wanted * self._largest)[free])
        for places in self._places.values():
            stays = places[~free[places]]
            moves = places[free[places]]
            if stays.size and moves.size:
                group = beside[moves[0]]
                kept[group] = max(kept[group], float(self._largest[stays].max()))
        level = np.where(kept > 0, kept, before) / np.where(after > 0, after, 1.0)
        return np.asarray(np.where(level > 0, level, 1.0)[beside])

    def _rows(self, free: NDArray[np.bool_]) -> Iterator[Places]:
        """The scaled channels of each tensor."""
        for places in self._places.values():
            yield places[free[places]]


def _joined(size: int, pairs: Iterable[tuple[Places, Places]]) -> Places:
    """For each of `size` places the first of all that pairs join with it."""
    first = np.arange(size)
    known = [pair for pair in pairs if pair[0].size]
    while True:
        before = first.copy()
        for one, other in (*known, *reversed(known)):
            least = np.minimum(first[one], first[other])
            np.minimum.at(first, one, least)
            np.minimum.at(first, other, least)
        first = first[first]
        if np.array_equal(first, before):
            return np.asarray(first, np.intp)
