"""Convolutions of a float graph, whatever its format: what is done to weights before rounding works on these."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from exporter.graph.padding import same_padding

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Tensor = Any  # a number in a .tflite, a name in an ONNX file


@dataclass(slots=True)
class Convolution:
    """weights: (outputs, kernel height, kernel width, inputs per group), output channels ordered by group."""

    name: str
    source: Tensor
    weights: Floats
    bias: Floats
    groups: int
    strides: tuple[int, int]
    dilations: tuple[int, int]
    padding: tuple[int, int, int, int] | None  # top, left, bottom, right rows of zeros; None: TensorFlow's SAME

    @property
    def depthwise(self) -> bool:
        return self.groups > 1 and self.weights.shape[3] == 1

    def matrices(self) -> Doubles:
        """(groups, outputs per group, kernel height · kernel width · inputs per group)."""
        return self.weights.astype(np.float64).reshape(self.groups, -1, self.weights[0].size)

    def patches(self, picture: Floats, count: int, offset: float) -> Floats:
        """At most `count` of what the kernel sees of a (1, H, W, C) picture: (groups, count, elements of a kernel).

        The places are spread evenly; another `offset` (in steps, 0..1) gives others.
        """
        top, left, bottom, right = self._padding_of(picture.shape[1], picture.shape[2])
        padded = picture[0]
        if top or bottom or left or right:
            padded = np.pad(padded, ((top, bottom), (left, right), (0, 0)))
        high, wide = self.weights.shape[1:3]
        rows = (padded.shape[0] - (high - 1) * self.dilations[0] - 1) // self.strides[0] + 1
        columns = (padded.shape[1] - (wide - 1) * self.dilations[1] - 1) // self.strides[1] + 1
        count = min(count, rows * columns)
        places = ((np.arange(count) + offset) * (rows * columns / count)).astype(int)
        y = (places // columns * self.strides[0])[:, None] + np.arange(high) * self.dilations[0]
        x = (places % columns * self.strides[1])[:, None] + np.arange(wide) * self.dilations[1]
        seen = padded[y[:, :, None], x[:, None, :]]
        grouped = seen.reshape(*seen.shape[:3], self.groups, -1)
        return np.ascontiguousarray(grouped.transpose(3, 0, 1, 2, 4)).reshape(self.groups, count, -1)

    def _padding_of(self, height: int, width: int) -> tuple[int, int, int, int]:
        if self.padding is not None:
            return self.padding
        kernel, axes = self.weights.shape[1:3], (self.strides, self.dilations)
        (top, bottom), (left, right) = map(same_padding, (height, width), kernel, *axes)
        return top, left, bottom, right


@dataclass(frozen=True, slots=True)
class Path:
    """Where channels can be scaled: only convolutions read what `maker` makes, each channel for itself in between."""

    maker: int  # place in the list of convolutions
    readers: tuple[int, ...]
    made: Tensor  # behind the activation function
    ceiling: float  # what the activation function clamps to; inf without one


class ConvolutionGraph(Protocol):
    """A float graph that can be asked for its convolutions and takes them back with other numbers."""

    convolutions: list[Convolution]

    def paths(self) -> list[Path]: ...

    def activations(self, tensors: Collection[Tensor], images: Iterable[Floats]) -> Iterator[Mapping[Tensor, Floats]]:
        """Channels last, one set per image, of the graph as it is stored now."""
        ...

    def store(self) -> None:
        """Write weights and biases of `convolutions` into the graph."""
        ...
