"""Which layer ruins the picture? Every tensor of an INT8 .tflite beside the same tensor of its float sibling.

The measure is the signal-to-quantization-noise ratio, 10·log10(Σ x² / Σ (x̂ - x)²) over all pictures. Two are taken:
the accumulated one, with the error of all layers before, and the layer's own, fed with the float file's tensors.
Both files run in LiteRT as they would alone, only with every tensor as an output, one picture at a time: memory is
one set of activations of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from math import isfinite, log10
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.errors import DataError, EngineError
from exporter.graph.operators import INT8_KERNELS, TFLITE_WEIGHTED
from exporter.graph.tflite_editor import TfliteGraph, open_tflite
from exporter.localise.diagnosis import EIGHT_BITS_DB, EQUAL_DB, LEAST_FALL_DB, diagnose
from exporter.localise.matches import Pairing, pair_layers
from exporter.localise.results import LayerError, Localisation
from exporter.localise.tensor_params import TensorParams, params_of
from exporter.quantization.params import Range
from exporter.quantization.ranges.seen import seen_limits
from exporter.quantization.tflite.clamps import clamp_limits
from exporter.quantization.tflite.float_operators import steps_of
from exporter.runtimes.base import Image

Array = NDArray[Any]
Floats = NDArray[np.float32]


@dataclass(slots=True)
class _Sums:
    """Of one layer, over the pictures seen."""

    signal: float = 0.0
    noise: float = 0.0
    own_noise: float = 0.0
    clipped: int = 0
    count: int = 0
    low: float = float("inf")
    high: float = float("-inf")

    def add(self, exact: Floats, rounded: Floats, alone: Floats, params: TensorParams) -> None:
        self.signal += _energy(exact)
        self.noise += _energy(rounded - exact)
        self.own_noise += _energy(alone - exact)
        self.count += exact.size
        self.low, self.high = min(self.low, float(exact.min())), max(self.high, float(exact.max()))
        if ends := params.ends:
            half = params.scale / 2
            self.clipped += int(np.count_nonzero((exact < ends[0] - half) | (exact > ends[1] + half)))


class SideBySide:
    """An INT8 file and its float sibling, run on the same picture."""

    def __init__(self, int8: Path, float_: Path) -> None:
        """Raises CheckpointError for a damaged file, DataError for files that are not two forms of one network."""
        self.rounded, self.exact = open_tflite(int8), open_tflite(float_)
        self.pairing: Pairing = pair_layers(self.rounded, self.exact)
        self.params = {index: params_of(self.rounded, index) for index in activations(self.rounded)}
        self._exact_params = {index: params_of(self.exact, index) for index in activations(self.exact)}
        # An operator with several outputs is several layers; a DEQUANTIZE changes no value; what a clamp will cut off
        # may be cut off before, so only the clamp's output is looked at.
        self.layers = [
            (operator, index)
            for operator in self.rounded.operators
            for index in operator.outputs
            if index in self.pairing.matches
            and self.rounded.kind(operator) != "DEQUANTIZE"
            and not _is_clamped(self.rounded, index)
        ]
        self._pictures = _pictures(self.rounded)
        matches = self.pairing.matches
        self._seen = _seen(self.exact, {matches[i]: params for i, params in self.params.items() if i in matches})
        self._exact, self._rounded = _Watched(float_.read_bytes()), _Watched(int8.read_bytes())
        self._alone = _Watched(int8.read_bytes(), apart=True)

    def run(self, image: Image) -> None:
        """`image`: (H, W, 3) RGB 0..1, of the files' size."""
        source = self.rounded.inputs[0]
        wanted = self.rounded.shape(source)
        if (1, *image.shape) != wanted:
            raise DataError(f"a picture is {image.shape}, the files take {wanted[1:]}")
        start = self.exact.inputs[0]
        self._exact.run({start: self._exact_params[start].stored(image[None])})
        self._rounded.run({source: self.params[source].stored(image[None])})
        self._alone.run({index: self._fed(index) for index in self._alone.feeds})

    def exact_values(self, index: int) -> Floats:
        """The float file's values of the INT8 file's tensor `index`, as far as the picture shows them."""
        match = self.pairing.matches[index]
        values = self._exact_params[match].real(self._exact.value(match))
        if index in self._pictures and self.params[index].scale:
            return np.clip(values, 0, 1)
        seen = self._seen.get(match) if self.params[index].scale else None
        return values if seen is None else np.clip(values, seen.low, seen.high)

    def rounded_values(self, index: int) -> Floats:
        return self.params[index].real(self._rounded.value(index))

    def own_values(self, index: int) -> Floats:
        """What the operator makes of the float file's tensors, rounded as its inputs are."""
        return self.params[index].real(self._alone.value(index))

    def _fed(self, index: int) -> Array:
        if index not in self.pairing.matches:  # nobody knows its float values
            return self._rounded.value(index)
        return self.params[index].stored(self.exact_values(index))

    @cached_property
    def sources(self) -> list[list[int]]:
        """For each layer the tensors that its operator reads."""
        return [[index for index in operator.inputs if index in self.params] for operator, _ in self.layers]


def localise(int8: Path, float_: Path, images: Iterable[Image]) -> Localisation:
    """The error of every layer of the .tflite `int8` against the .tflite `float_`; images are (H, W, 3) RGB 0..1.

    Raises CheckpointError for a damaged file, DataError for two different networks, EngineError when one does not run.
    """
    files = SideBySide(int8, float_)
    sums = [_Sums() for _ in files.layers]
    seen = 0
    for image in images:
        files.run(image)
        seen += 1
        for (_, index), total in zip(files.layers, sums, strict=True):
            exact, params = files.exact_values(index), files.params[index]
            total.add(exact, files.rounded_values(index), files.own_values(index), params)
    if not seen:
        raise DataError("no picture was given to compare the two files on")
    layers = _layers(files, sums)
    falls = [layer.fall_db for layer in layers]
    culprit = falls.index(max(falls)) if falls and max(falls) >= LEAST_FALL_DB else None
    rounding = [place for place, layer in enumerate(layers) if not _moves_only(layer.kind)]
    worst = tuple(sorted(rounding, key=lambda place: layers[place].own_sqnr_db))
    return Localisation(seen, layers, files.pairing.unmatched, worst, culprit, diagnose(layers, culprit))


def _layers(files: SideBySide, sums: Sequence[_Sums]) -> tuple[LayerError, ...]:
    accumulated_db = [_sqnr_db(total.signal, total.noise) for total in sums]
    own_db = [_sqnr_db(total.signal, total.own_noise) for total in sums]
    ordinary_db = min(median(own_db), EIGHT_BITS_DB)
    reached_db = {index: sqnr_db for (_, index), sqnr_db in zip(files.layers, accumulated_db, strict=True)}
    for operator in files.rounded.operators:  # a DEQUANTIZE is as good as what it reads
        for index in operator.outputs:
            reached_db.setdefault(index, min((reached_db.get(i, EQUAL_DB) for i in operator.inputs), default=EQUAL_DB))
    return tuple(
        _layer(
            files, place, sums[place], accumulated_db[place], own_db[place],
            min([ordinary_db, *(reached_db.get(index, EQUAL_DB) for index in files.sources[place])]),
        )
        for place in range(len(sums))
    )  # fmt: skip


def _layer(
    files: SideBySide, place: int, total: _Sums, sqnr_db: float, own_sqnr_db: float, before_db: float
) -> LayerError:
    graph, (operator, index) = files.rounded, files.layers[place]
    params, kind = files.params[index], graph.kind(operator)
    linear = TFLITE_WEIGHTED.get(kind)
    weights = graph.quantization(operator.inputs[linear.weights]) if linear else None
    rms = (total.signal / max(total.count, 1)) ** 0.5
    return LayerError(
        kind=kind,
        tensor=graph.name(index),
        shape=graph.shape(index),
        dtype=params.dtype.name,
        sqnr_db=sqnr_db,
        own_sqnr_db=own_sqnr_db,
        fall_db=before_db - sqnr_db,
        clipped=total.clipped / max(total.count, 1),
        values=(total.low, total.high),
        int8_range=params.ends,
        rms_steps=rms / params.scale if params.scale else 0.0,
        weight_scales=len(weights[0]) if weights else 0,
        channels=graph.shape(index)[-1] if graph.shape(index) else 1,
    )


def _moves_only(kind: str) -> bool:
    """Whether the operator's output has the scale of its input: what it loses, its input had lost."""
    return kind in INT8_KERNELS and INT8_KERNELS[kind].rule == "same"


def _sqnr_db(signal: float, noise: float) -> float:
    """Between -EQUAL_DB and EQUAL_DB; what is not a number counts as worst."""
    if noise == 0:
        return EQUAL_DB
    if not signal > 0 or not isfinite(signal) or not isfinite(noise):
        return -EQUAL_DB
    return max(-EQUAL_DB, min(EQUAL_DB, 10 * log10(signal / noise)))


def _energy(values: Floats) -> float:
    flat = values.reshape(-1)
    return float(np.dot(flat, flat))


def _is_clamped(graph: TfliteGraph, index: int) -> bool:
    users = graph.consumers(index)
    return bool(users) and all(clamp_limits(graph, user) is not None for user in users)


def _pictures(graph: TfliteGraph) -> set[int]:
    """The output and what only moves on the way to it: int8 ends there at 0 and 1, and so does a screen."""
    found, frontier = set[int](), list(graph.outputs)
    while frontier:
        index = frontier.pop()
        found.add(index)
        maker = graph.producer(index)
        if maker is not None and (graph.kind(maker) == "DEQUANTIZE" or _moves_only(graph.kind(maker))):
            frontier.append(maker.inputs[0])
    return found


def _seen(exact: TfliteGraph, params: Mapping[int, TensorParams]) -> dict[int, Range]:
    """Where tensors of the float file end to be seen; `params` are those that INT8 gives them."""
    ranges = {index: Range(*each.ends) for index, each in params.items() if each.ends}
    return seen_limits(steps_of(exact), ranges, exact.inputs, exact.outputs)


def activations(graph: TfliteGraph) -> list[int]:
    """The input and everything computed from it; not what is computed from stored weights alone."""
    known = dict.fromkeys(graph.inputs)
    for operator in graph.operators:
        if not known.keys().isdisjoint(operator.inputs):
            known |= dict.fromkeys(operator.outputs)
    return list(known)


class _Watched:
    """A file in LiteRT with every computed tensor as an output; tensors go by their numbers in the file.

    `apart`: its operators are cut loose from each other, every tensor that one reads is an input of its own.
    """

    def __init__(self, content: bytes, *, apart: bool = False) -> None:
        from ai_edge_litert.interpreter import Interpreter

        graph = TfliteGraph(content)
        made = [index for index in activations(graph) if index not in graph.inputs]
        fed = _cut_apart(graph) if apart else list(graph.inputs)
        graph.outputs, graph.model.signatureDefs = list(made), []
        watched = graph.to_bytes()
        self.feeds = dict(zip(fed, graph.inputs, strict=True))
        self._places = dict(zip([*fed, *made], [*graph.inputs, *graph.outputs], strict=True))
        try:
            self._engine = Interpreter(model_content=watched, num_threads=2)
            self._engine.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise EngineError(f"LiteRT cannot run the file layer by layer: {error}") from None

    def run(self, feed: dict[int, Array]) -> None:
        try:
            for index, values in feed.items():
                self._engine.set_tensor(self.feeds[index], values)
            self._engine.invoke()
        except (ValueError, RuntimeError) as error:
            raise EngineError(f"LiteRT cannot run the file layer by layer: {error}") from None

    def value(self, index: int) -> Array:
        return np.asarray(self._engine.get_tensor(self._places[index]))


def _cut_apart(graph: TfliteGraph) -> list[int]:
    """Cut the operators of `graph` loose; the old numbers of the tensors that are inputs now."""
    read = [index for index in activations(graph) if graph.consumers(index)]
    loose = {}
    for index in read:
        tensor = copy(graph.tensors[index])
        tensor.name = f"{graph.name(index)} (fed)"
        graph.tensors.append(tensor)
        loose[index] = len(graph.tensors) - 1
    for operator in graph.operators:
        operator.inputs = [loose.get(index, index) for index in operator.inputs]
    graph.inputs = list(loose.values())
    return read
