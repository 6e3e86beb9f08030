"""Activation ranges of a float model, learned from calibration images one at a time.

Memory is one set of activations plus one small histogram per tensor, however many images there are.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from exporter.graph.tflite_editor import TfliteGraph
from exporter.quantization.options import Method
from exporter.quantization.params import Range
from exporter.quantization.ranges.entropy import least_divergence
from exporter.quantization.ranges.float_activations import not_finite, onnx_activations, tflite_activations
from exporter.quantization.ranges.histogram import Histogram

Floats = NDArray[np.float32]
Key = TypeVar("Key", bound=Hashable)


@dataclass
class RangeCollector(Generic[Key]):
    """Sees the values of each tensor on each image and settles on a range.

    minmax: all values. percentile: (100 - percentile) / 2 percent cut off at each end. mse: the range whose int8 code
    has the smallest mean squared error. entropy: the one whose code tells the values apart best.
    Tensors in `exact` keep all their values whatever the method.
    `after` holds what the ranges were after 1, 2, 4, … images.
    """

    method: Method = "minmax"
    percentile: float = 99.99
    exact: Collection[Key] = ()
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
        return self.method == "minmax" or tensor in self.exact

    def _chosen(self, tensor: Key, histogram: Histogram) -> Range:
        if self._keeps_limits(tensor) or histogram.low >= histogram.high:  # one value or none: nothing to choose
            return histogram.range
        if self.method == "percentile":
            return histogram.percentile(self.percentile)
        return histogram.least_squares() if self.method == "mse" else least_divergence(histogram)


def tflite_ranges(
    content: bytes,
    tensors: Collection[int],
    images: Iterable[Floats],
    collector: RangeCollector[int],
) -> dict[int, Range]:
    """The range of each of `tensors` (numbers in the file) over `images`, each (H, W, 3) RGB 0..1."""
    graph = TfliteGraph(content)
    for values in tflite_activations(content, tensors, images):
        for tensor in sorted(tensors):
            collector.add(tensor, values[tensor], graph.name(tensor))
        collector.end_image()
    return collector.ranges()


def onnx_ranges(
    model: Any,
    tensors: Collection[str],
    images: Iterable[Floats],
    collector: RangeCollector[str],
) -> dict[str, Range]:
    """The same for an onnx.ModelProto with one NHWC input and its tensors' names."""
    for values in onnx_activations(model, tensors, images):
        for name in sorted(tensors):
            collector.add(name, values[name], name)
        collector.end_image()
    return collector.ranges()
