"""The channels of a float .tflite that can be scaled (quantization/weights/channel_scales.py)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np

from exporter.graph.operators import TFLITE
from exporter.graph.tflite_editor import TfliteGraph
from exporter.passes.tflite.cleanup import fuse_activations
from exporter.passes.tflite.parted import channel_parts, part_convolutions
from exporter.quantization.tflite.convolutions import TfliteConvolutions
from exporter.quantization.tflite.float_operators import statistics
from exporter.quantization.tflite.scales import float_activations
from exporter.quantization.weights.channel_scales import Channels, Factors, make_alike, scale_weights
from exporter.quantization.weights.convolutions import Floats

# Each output channel depends on the same input channel only, and grows with it.
_CHANNELWISE = frozenset(
    [
        "ABS",
        "AVERAGE_POOL_2D",
        "LEAKY_RELU",
        "MAX_POOL_2D",
        "MEAN",
        "MIRROR_PAD",
        "NEG",
        "PAD",
        "PRELU",
        "RELU",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
        "SLICE",
        "STRIDED_SLICE",
        "SUM",
    ]
)
# In float they cost a pass over the picture and no multiply-accumulate.
_POINTWISE = frozenset(kind for kind, operator in TFLITE.items() if operator.pixelwise)
_POINTWISE |= {"CONCATENATION", "MEAN", "REDUCE_MAX", "REDUCE_MIN", "SOFTMAX", "SUM"}
_SUMS, _GATES = frozenset({"ADD", "SUB"}), frozenset({"LOGISTIC", "TANH", "SOFTMAX", "RELU_0_TO_1"})
_RANK = 4


def with_channels_alike(
    content: bytes, images: Iterable[Floats], keep_float: tuple[str, ...] = ()
) -> tuple[bytes, frozenset[str]]:
    """A float file that computes the same, its channels as wide as each other, and the operators between products that
    undo that, by their first outputs: they are to stay in float.

    Images are (H, W, C) 0..1. What `keep_float` names keeps its scales. Raises ValueError for NaN and infinity.
    """
    parted = TfliteGraph(content)
    fuse_activations(parted)
    part_convolutions(parted)
    graph = TfliteChannels(parted.to_bytes(), keep_float)
    make_alike(graph, images)
    return graph.content, frozenset(graph.in_float)


class TfliteChannels(TfliteConvolutions):
    """Tensors are numbers in `content`."""

    def __init__(self, content: bytes, keep_float: tuple[str, ...] = ()) -> None:
        super().__init__(content, keep_float)
        self.in_float = set[str]()  # names of first outputs

    def made_by(self, number: int) -> int:
        return int(self._operators[number].outputs[0])

    @cached_property
    def channels(self) -> Channels:
        graph, found = self.graph, Channels()
        made = [index for operator in graph.operators for index in operator.outputs]
        for index in float_activations(graph, dict.fromkeys([*graph.inputs, *made])):
            if len(graph.shape(index)) == _RANK:
                found.counts[index] = graph.shape(index)[-1]
        found.fixed.update((*graph.inputs, *graph.outputs))
        known = {id(operator) for operator in self._operators}
        norms = {id(operator) for operator in statistics(graph)}
        for operator in graph.operators:
            if id(operator) in known:
                if self._ceiling(operator) != float("inf"):
                    found.fixed.update(operator.outputs)
            elif not self._tie(found, operator):
                ends = [*float_activations(graph, operator.inputs), *operator.outputs]
                if graph.kind(operator) in _POINTWISE and id(operator) not in norms:
                    found.stops += [(operator, index) for index in ends if index in found.counts]
                else:
                    found.fixed.update(ends)
        return found

    def unscaled(self, operator: Any, tensor: int) -> int:
        graph = self.graph
        takes = tensor in operator.inputs
        name = f"{graph.name(operator.outputs[0])}_{'taken' if takes else 'made'}_{len(self.in_float)}"
        own = graph.add_tensor(name, graph.shape(tensor), "FLOAT32")
        ones = graph.add_constant(f"{graph.name(own)}_by", np.ones(graph.shape(tensor)[-1], np.float32))
        source, result = (tensor, own) if takes else (own, tensor)
        product = graph.new_operator("MUL", 1, [source, ones], [result], "MulOptions")
        graph.operators.insert(graph.operators.index(operator) + (not takes), product)
        if takes:
            operator.inputs = [own if index == tensor else index for index in operator.inputs]
        else:
            operator.outputs = [own if index == tensor else index for index in operator.outputs]
        self.in_float |= {graph.name(result), *(graph.name(index) for index in operator.outputs)}
        return own

    def scale(self, factors: Factors) -> None:
        for number, layer in enumerate(self.convolutions):
            scale_weights(layer, factors.get(self.made_by(number)), factors.get(layer.source))
        for operator in self.graph.operators:
            if (stored := self._stored_number(operator)) is not None:
                self._scale_number(operator, stored, factors)
        self.store()

    def _scale_number(self, operator: Any, place: int, factors: Factors) -> None:
        """What is stored and added grows with the sum; what is multiplied with makes up for both ends."""
        graph = self.graph
        made, taken = factors.get(operator.outputs[0]), factors.get(operator.inputs[1 - place])
        by = 1.0 if made is None else made
        if graph.kind(operator) == "MUL":
            by = by / (1.0 if taken is None else taken)
        if made is not None or taken is not None:
            value = graph.constant(operator.inputs[place])
            assert value is not None
            name = f"{graph.name(operator.outputs[0])}_scaled"
            operator.inputs[place] = graph.add_constant(name, (value * by).astype(np.float32))

    def _tie(self, found: Channels, operator: Any) -> bool:
        """Note what `operator` makes of its channels; False where it does not stand to have them scaled."""
        graph, kind = self.graph, self.graph.kind(operator)
        taken, made = float_activations(graph, operator.inputs), operator.outputs[0]
        if not taken or any(index not in found.counts for index in (*taken, *operator.outputs)):
            return False
        if getattr(operator.builtinOptions, "fusedActivationFunction", 0) not in (0, 1):  # none, RELU
            return False
        if parts := channel_parts(graph, operator):
            for part, first in parts:
                found.tie(taken[0], part, first)
            return len(taken) == 1
        if kind in _CHANNELWISE and len(taken) == 1:
            return self._tie_one(found, operator, taken[0], made)
        if kind in _SUMS | {"MUL"} and len(operator.inputs) == 2:
            return self._tie_two(found, operator, taken, made)
        if kind in ("DEPTH_TO_SPACE", "SPACE_TO_DEPTH"):
            deep, flat = sorted((taken[0], made), key=lambda index: -found.counts[index])
            for first in range(0, found.counts[deep], found.counts[flat]):
                found.tie(deep, flat, first)
            return True
        if kind == "CONCATENATION" and operator.builtinOptions.axis in (-1, _RANK - 1):
            first = 0
            for index in taken:
                found.tie(made, index, first)
                first += found.counts[index]
            return first == found.counts[made]
        return False

    def _tie_one(self, found: Channels, operator: Any, taken: int, made: int) -> bool:
        graph, kind = self.graph, self.graph.kind(operator)
        if kind in ("MEAN", "SUM"):
            axes = graph.constant(operator.inputs[1])
            if axes is None or not set(np.atleast_1d(axes).tolist()) <= {1, 2}:
                return False
        if kind == "STRIDED_SLICE":
            steps = graph.constant(operator.inputs[3])
            if steps is None or steps[-1] != 1:
                return False
        if found.counts[made] != found.counts[taken]:
            return False
        found.tie(taken, made)
        return True

    def _tie_two(self, found: Channels, operator: Any, taken: list[int], made: int) -> bool:
        kind = self.graph.kind(operator)
        if len(taken) == 1:
            if self._stored_number(operator) is None or found.counts[taken[0]] != found.counts[made]:
                return False
            if kind != "MUL":
                found.tie(taken[0], made)
            return True
        if taken[0] == taken[1]:
            return False
        if kind == "MUL":  # one factor keeps its scale
            gate = next((i for i in reversed(taken) if self._is_gate(i) or found.counts[i] == 1), taken[1])
            found.stops.append((operator, gate))
            taken = [index for index in taken if index != gate]
        if any(found.counts[index] != found.counts[made] for index in taken):
            return False
        for index in taken:
            found.tie(made, index)
        return True

    def _is_gate(self, index: int) -> bool:
        maker = self.graph.producer(index)
        return maker is not None and self.graph.kind(maker) in _GATES

    def _stored_number(self, operator: Any) -> int | None:
        """The place of a stored number, or one for each channel, in a sum or product with an activation."""
        graph = self.graph
        if graph.kind(operator) not in _SUMS | {"MUL"} or len(operator.inputs) != 2:
            return None
        shape = graph.shape(operator.outputs[0])
        for place, index in enumerate(operator.inputs):
            value = graph.constant(index)
            if value is not None and len(shape) == _RANK and value.size in (1, shape[-1]):
                return place if value.ndim == 0 or value.size == 1 or value.shape[-1] == shape[-1] else None
        return None
