"""Activation ranges of a float model, learned from calibration images one at a time.

Memory is one set of activations plus one small histogram per tensor, however many images there are.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from exporter.graph.tflite_editor import TfliteGraph
from exporter.quantization.params import Range
from exporter.quantization.ranges.convergence import movement
from exporter.quantization.ranges.entropy import least_divergence
from exporter.quantization.ranges.float_activations import not_finite, onnx_activations, tflite_activations
from exporter.quantization.ranges.histogram import Histogram
from exporter.quantization.ranges.stored import stored_ranges
from exporter.quantization.settings import Int8Settings

Floats = NDArray[np.float32]
Key = TypeVar("Key", bound=Hashable)
EXAMPLES = 3  # images


@dataclass(frozen=True, slots=True)
class Wanted(Generic[Key]):
    """The activations of a float file whose ranges a plan needs; those of them that are never clipped, and those whose
    rare extremes are, unless the settings say how."""

    tensors: frozenset[Key]
    unclipped: frozenset[Key] = frozenset()
    normalised: frozenset[Key] = frozenset()


@dataclass(frozen=True, slots=True)
class Example:
    """An image (H, W, C) and what the float model makes of it."""

    given: Floats
    made: Floats


@dataclass(frozen=True, slots=True)
class Calibrated(Generic[Key]):
    """Ranges by tensor, what the report should tell of how they came about, and the first images as examples."""

    ranges: Mapping[Key, Range]
    facts: dict[str, object]
    examples: tuple[Example, ...] = ()


@dataclass
class RangeCollector(Generic[Key]):
    """Sees the values of each tensor on each image and settles on a range.

    minmax: all values. percentile: (100 - percentile) / 2 percent cut off at each end. mse: the range whose int8 steps
    have the smallest mean squared error. entropy: the one whose steps tell the values apart best.
    Tensors in `unclipped` keep all their values whatever the method; those in `normalised` get "mse" for minmax.
    `after` holds what the ranges were after 1, 2, 4, … images.
    """

    settings: Int8Settings = Int8Settings()
    unclipped: Collection[Key] = ()
    normalised: Collection[Key] = ()
    seen: dict[Key, Histogram] = field(default_factory=dict)
    images: int = 0
    after: dict[int, dict[Key, Range]] = field(default_factory=dict)

    def add(self, tensor: Key, values: Floats, name: str) -> None:
        """Raises ValueError with the tensor's name for a value that is not finite."""
        histogram = self.seen.setdefault(tensor, Histogram())
        add = histogram.add_limits if self._keeps_limits(tensor) else histogram.add
        try:
            add(values)
        except ValueError:
            raise not_finite(name) from None

    def end_image(self) -> None:
        """All tensors of one image have been added."""
        self.images += 1
        if self.images.bit_count() == 1:
            self.after[self.images] = self.ranges()

    def ranges(self) -> dict[Key, Range]:
        """Raises ValueError when no image was seen."""
        if not self.seen:
            raise ValueError("there is no calibration image")
        return {tensor: self._chosen(tensor, histogram) for tensor, histogram in self.seen.items()}

    def _keeps_limits(self, tensor: Key) -> bool:
        return tensor in self.unclipped or (self.settings.ranges == "minmax" and tensor not in self.normalised)

    def _chosen(self, tensor: Key, histogram: Histogram) -> Range:
        if self._keeps_limits(tensor) or histogram.low >= histogram.high:  # one value or none: nothing to choose
            return histogram.range
        if self.settings.ranges == "percentile":
            return histogram.percentile(self.settings.percentile)
        return least_divergence(histogram) if self.settings.ranges == "entropy" else histogram.least_squares()

    def calibrated(self) -> Calibrated[Key]:
        """Of the images that have ended. Raises ValueError when no image was seen."""
        ranges = self.after.get(self.images) or self.ranges()
        return Calibrated(ranges, movement(self.after, ranges, self.images))


def calibrate_tflite(
    content: bytes, wanted: Wanted[int], images: Iterable[Floats], settings: Int8Settings
) -> Calibrated[int]:
    """The range of each wanted tensor (numbers in `content`): those the file brings, others over `images`.

    Each image is (H, W, 3) RGB 0..1. A file that brings them all reads none.
    """
    graph = TfliteGraph(content)
    known = stored_ranges(graph)
    missing = wanted.tensors - known.keys()
    trained = {"ranges": f"trained, others {settings.ranges}" if missing else "trained"} if known else {}
    if not missing:
        return Calibrated(known, dict(trained))
    collector, examples = RangeCollector(settings, wanted.unclipped, wanted.normalised), _Examples(images)
    for values in tflite_activations(content, missing.union(graph.outputs), examples):
        for tensor in sorted(missing):
            collector.add(tensor, values[tensor], graph.name(tensor))
        collector.end_image()
        examples.add(values[graph.outputs[0]])
    learned = collector.calibrated()
    return Calibrated({**learned.ranges, **known}, trained | learned.facts, examples.found)


def calibrate_onnx(
    model: Any, wanted: Wanted[str], images: Iterable[Floats], settings: Int8Settings
) -> Calibrated[str]:
    """The same for an onnx.ModelProto with one NHWC input and its tensors' names."""
    collector, examples = RangeCollector(settings, wanted.unclipped, wanted.normalised), _Examples(images)
    made = model.graph.output[0].name
    for values in onnx_activations(model, wanted.tensors | {made}, examples):
        for name in sorted(wanted.tensors):
            collector.add(name, values[name], name)
        collector.end_image()
        examples.add(values[made])
    return replace(collector.calibrated(), examples=examples.found)


class _Examples:
    """Goes through `images` once; of the first, copies are kept beside the pictures of each (a clip has several)."""

    def __init__(self, images: Iterable[Floats]) -> None:
        self._images = images
        self._kept: list[tuple[Floats, list[Floats]]] = []
        self._is_kept = False

    def __iter__(self) -> Iterator[Floats]:
        for image in self._images:
            self._is_kept = len(self._kept) < EXAMPLES
            if self._is_kept:
                self._kept.append((np.array(image), []))
            yield image

    def add(self, made: Floats) -> None:
        """A picture (1, H, W, C) that was made of the image that came last."""
        if self._is_kept:
            self._kept[-1][1].append(made[0].copy())

    @property
    def found(self) -> tuple[Example, ...]:
        return tuple(Example(image, np.concatenate(made, -1)) for image, made in self._kept)
