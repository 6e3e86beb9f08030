"""The convolutions of a float ONNX file."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from exporter.graph.onnx_editor import attribute
from exporter.quantization.ranges.float_activations import onnx_activations
from exporter.quantization.weights.convolutions import Convolution, Floats, Path

# Each output channel depends on the same input channel only, and grows with it.
_CHANNELWISE = {"Relu", "LeakyRelu", "PRelu", "MaxPool", "AveragePool", "Resize", "GlobalAveragePool"}


class OnnxConvolutions:
    """2-D Conv nodes with constant weights, of a model whose inner tensors are (1, C, H, W). `model` is changed.

    Nodes named in `keep_float` are left alone.
    """

    def __init__(self, model: Any, keep_float: Collection[str] = ()) -> None:
        from onnx import numpy_helper

        self.model = model
        self._keep_float = keep_float
        self._constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self._outputs = {value.name for value in model.graph.output}
        self._users: dict[str, list[Any]] = {}
        for node in model.graph.node:
            for name in node.input:
                self._users.setdefault(name, []).append(node)
        self._nodes = [node for node in model.graph.node if self._is_convolution(node)]
        self.convolutions = [self._read(node) for node in self._nodes]

    def activations(self, tensors: Collection[str], images: Iterable[Floats]) -> Iterator[Mapping[str, Floats]]:
        source = self.model.graph.input[0].name
        for values in onnx_activations(self.model, tensors, images):
            yield {name: value if name == source else value.transpose(0, 2, 3, 1) for name, value in values.items()}

    def store(self) -> None:
        from onnx import numpy_helper

        stored = {tensor.name: tensor for tensor in self.model.graph.initializer}
        for node, made in zip(self._nodes, self.convolutions, strict=True):
            for place, value in ((1, made.weights.transpose(0, 3, 1, 2)), (2, made.bias)):
                if len(node.input) <= place:
                    node.input.append(f"{node.input[1]}_bias")
                name = node.input[place]
                tensor = numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name)
                if name in stored:
                    stored[name].CopyFrom(tensor)
                else:
                    self.model.graph.initializer.append(tensor)

    def paths(self) -> list[Path]:
        found = []
        for number, node in enumerate(self._nodes):
            made, ceiling = self._activated(node.output[0])
            readers = self._readers(made)
            if readers:
                found.append(Path(number, tuple(readers), made, ceiling))
        return found

    def _activated(self, tensor: str) -> tuple[str, float]:
        """Behind a ReLU or a clamp from 0, where one follows: the tensor, and where it is clamped."""
        users = self._users.get(tensor, [])
        if len(users) != 1 or tensor in self._outputs:
            return tensor, math.inf
        if users[0].op_type == "Relu":
            return users[0].output[0], math.inf
        if users[0].op_type == "Clip":
            low, high = ([self._constants.get(name) for name in users[0].input[1:]] + [None, None])[:2]
            if low is not None and high is not None and float(low) == 0.0:
                return users[0].output[0], float(high)
        return tensor, math.inf

    def _readers(self, tensor: str) -> list[int] | None:
        """The convolutions that read `tensor`; None when something else does."""
        if tensor in self._outputs:
            return None
        found: list[int] = []
        for user in self._users.get(tensor, []):
            number = next((number for number, node in enumerate(self._nodes) if node is user), None)
            if number is not None:
                found.append(number)
                continue
            further = self._readers(user.output[0]) if user.op_type in _CHANNELWISE else None
            if further is None:
                return None
            found += further
        return found

    def _is_convolution(self, node: Any) -> bool:
        weights = self._constants.get(node.input[1]) if node.op_type == "Conv" else None
        if weights is None or weights.ndim != 4 or node.name in self._keep_float:
            return False
        shared = [name for name in node.input[1:] if len(self._users[name]) > 1]
        computed = [name for name in node.input[2:] if name not in self._constants]
        auto = attribute(node, "auto_pad", "NOTSET")
        return not shared and not computed and auto != "SAME_LOWER"

    def _read(self, node: Any) -> Convolution:
        weights = self._constants[node.input[1]].transpose(0, 2, 3, 1)
        bias = self._constants[node.input[2]] if len(node.input) > 2 else np.zeros(len(weights), np.float32)
        top, left, bottom, right = attribute(node, "pads", [0, 0, 0, 0])
        strides, dilations = (attribute(node, name, [1, 1]) for name in ("strides", "dilations"))
        return Convolution(
            node.output[0],
            node.input[0],
            weights.copy(),
            bias.copy(),
            int(attribute(node, "group", 1)),
            (strides[0], strides[1]),
            (dilations[0], dilations[1]),
            None if attribute(node, "auto_pad", "NOTSET") == "SAME_UPPER" else (top, left, bottom, right),
        )
