"""The convolutions of a float .tflite."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from exporter.graph.tflite_editor import TfliteGraph
from exporter.passes.tflite.cleanup import fuse_activations
from exporter.quantization.ranges.float_activations import tflite_activations
from exporter.quantization.weights.convolutions import Convolution, Floats, Path

_KINDS = ("CONV_2D", "DEPTHWISE_CONV_2D")
# Each output channel depends on the same input channel only, and grows with it.
_CHANNELWISE = {
    "RELU", "LEAKY_RELU", "PRELU", "PAD", "MIRROR_PAD", "MAX_POOL_2D", "AVERAGE_POOL_2D", "RESIZE_NEAREST_NEIGHBOR",
    "RESIZE_BILINEAR", "MEAN",
}  # fmt: skip


class TfliteConvolutions:
    """CONV_2D and DEPTHWISE_CONV_2D with constant weights. Tensors are numbers in `content`.

    What `keep_float` names (patterns over kinds and output names) is left alone.
    """

    def __init__(self, content: bytes, keep_float: tuple[str, ...] = ()) -> None:
        self._keep_float = keep_float
        graph = TfliteGraph(content)
        fuse_activations(graph)
        self.content = graph.to_bytes()
        self.graph = TfliteGraph(self.content)
        self._operators = [operator for operator in self.graph.operators if self._is_convolution(operator)]
        self.convolutions = [self._read(operator) for operator in self._operators]

    def activations(self, tensors: Collection[int], images: Iterable[Floats]) -> Iterator[Mapping[int, Floats]]:
        return tflite_activations(self.content, tensors, images)

    def store(self) -> None:
        graph = self.graph
        for operator, made in zip(self._operators, self.convolutions, strict=True):
            depthwise = graph.kind(operator) == "DEPTHWISE_CONV_2D"
            weights = made.weights.transpose(3, 1, 2, 0) if depthwise else made.weights
            operator.inputs += [-1] * (3 - len(operator.inputs))
            for place, value in ((1, weights), (2, made.bias)):
                name = graph.name(operator.inputs[place]) if operator.inputs[place] >= 0 else f"{made.name}_bias"
                operator.inputs[place] = graph.add_constant(name, np.ascontiguousarray(value, np.float32))
        self.content = graph.to_bytes()
        self.graph = TfliteGraph(self.content)  # numbers of tensors are those of the file again
        self._operators = [operator for operator in self.graph.operators if self._is_convolution(operator)]
        for operator, made in zip(self._operators, self.convolutions, strict=True):
            made.source = operator.inputs[0]

    def paths(self) -> list[Path]:
        found = []
        place = {id(operator): number for number, operator in enumerate(self._operators)}
        for number, operator in enumerate(self._operators):
            ceiling = self._ceiling(operator)
            readers = self._readers(operator.outputs[0], place) if ceiling is not None else None
            if readers and ceiling is not None:
                found.append(Path(number, tuple(readers), operator.outputs[0], ceiling))
        return found

    def _readers(self, tensor: int, place: dict[int, int]) -> list[int] | None:
        """The convolutions that read `tensor`; None when something else does."""
        if tensor in self.graph.outputs:
            return None
        found: list[int] = []
        for user in self.graph.consumers(tensor):
            if id(user) in place:
                found.append(place[id(user)])
                continue
            further = self._readers(user.outputs[0], place) if self._is_channelwise(user) else None
            if further is None:
                return None
            found += further
        return found

    def _is_channelwise(self, operator: Any) -> bool:
        if self.graph.kind(operator) == "MEAN":
            axes = self.graph.constant(operator.inputs[1])
            return axes is not None and set(np.atleast_1d(axes).tolist()) <= {1, 2}
        kept = len(self.graph.shape(operator.inputs[0])) == len(self.graph.shape(operator.outputs[0])) == 4
        return kept and self.graph.kind(operator) in _CHANNELWISE

    def _ceiling(self, operator: Any) -> float | None:
        """None for an activation function that scaling would change."""
        kinds = self.graph.schema.ActivationFunctionType
        function = operator.builtinOptions.fusedActivationFunction
        return {kinds.NONE: math.inf, kinds.RELU: math.inf, kinds.RELU6: 6.0}.get(function)

    def _is_convolution(self, operator: Any) -> bool:
        kind = self.graph.kind(operator)
        words = (kind, self.graph.name(operator.outputs[0]))
        if kind not in _KINDS or any(fnmatchcase(word, pattern) for word in words for pattern in self._keep_float):
            return False
        return self.graph.constant(operator.inputs[1]) is not None

    def _read(self, operator: Any) -> Convolution:
        graph, options = self.graph, operator.builtinOptions
        depthwise = graph.kind(operator) == "DEPTHWISE_CONV_2D"
        weights = graph.constant(operator.inputs[1])
        assert weights is not None
        weights = weights.transpose(3, 1, 2, 0) if depthwise else weights
        bias = graph.constant(operator.inputs[2]) if len(operator.inputs) > 2 else None
        same = options.padding == graph.schema.Padding.SAME
        return Convolution(
            graph.name(operator.outputs[0]),
            operator.inputs[0],
            weights.copy(),
            np.zeros(len(weights), np.float32) if bias is None else bias.copy(),
            graph.shape(operator.inputs[0])[3] // weights.shape[3],
            (options.strideH, options.strideW),
            (options.dilationHFactor or 1, options.dilationWFactor or 1),
            None if same else (0, 0, 0, 0),
        )
