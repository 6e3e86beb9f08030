"""The channels of a float ONNX file that can be scaled (quantization/weights/channel_scales.py)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cached_property
from typing import Any

import numpy as np

from exporter.graph.onnx_editor import OnnxGraph, attribute
from exporter.graph.operators import ONNX
from exporter.passes.onnx.parted import part_convolutions
from exporter.quantization.onnx.convolutions import OnnxConvolutions
from exporter.quantization.onnx.float_nodes import statistics
from exporter.quantization.weights.channel_scales import Channels, Factors, Tie, make_alike, scale_weights
from exporter.quantization.weights.convolutions import Floats

# Each output channel depends on the same input channel only, and grows with it.
_CHANNELWISE = frozenset(
    [
        "Abs",
        "AveragePool",
        "GlobalAveragePool",
        "GlobalMaxPool",
        "LeakyRelu",
        "MaxPool",
        "Neg",
        "PRelu",
        "Relu",
        "Resize",
    ]
)
# In float they cost a pass over the picture and no multiply-accumulate.
_POINTWISE = frozenset(kind for kind, operator in ONNX.items() if operator.reach == "pixel")
_POINTWISE |= {"Concat", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "Softmax"}
_SUMS, _GATES = frozenset({"Add", "Sub"}), frozenset({"Sigmoid", "Tanh", "Softmax", "HardSigmoid"})
_RANK, _AXIS = 4, 1


def with_channels_alike(
    model: Any, images: Iterable[Floats], keep_float: Collection[str] = ()
) -> tuple[Any, frozenset[str]]:
    """An onnx.ModelProto that computes what `model` does, its channels as wide as each other, and the names of nodes
    between products that undo that: they are to stay in float.

    Images are (H, W, C) 0..1. Nodes named in `keep_float` keep their scales. Raises ValueError for NaN and infinity.
    """
    import onnx

    parted = OnnxGraph(onnx.shape_inference.infer_shapes(model))
    part_convolutions(parted)
    graph = OnnxChannels(parted.commit(), keep_float)
    make_alike(graph, images)
    return graph.model, frozenset(graph.in_float)


class OnnxChannels(OnnxConvolutions):
    """Tensors are names in `model`."""

    def __init__(self, model: Any, keep_float: Collection[str] = ()) -> None:
        super().__init__(model, keep_float)
        self.in_float = set[str]()  # names of nodes

    def made_by(self, number: int) -> str:
        return str(self._nodes[number].output[0])

    @cached_property
    def channels(self) -> Channels:
        import onnx

        found, graph = Channels(), OnnxGraph(onnx.shape_inference.infer_shapes(self.model))
        pictures = {value.name for values in (graph.model.graph.input, graph.model.graph.output) for value in values}
        for node in self.model.graph.node:
            for name in node.output:
                shape = graph.shape(name)
                if shape is not None and len(shape) == _RANK and name not in pictures:
                    found.counts[name] = shape[_AXIS]
        known = {node.output[0] for node in self._nodes}
        norms = statistics(self.model)
        for node in self.model.graph.node:
            if node.output[0] not in known and not self._tie(found, node):
                ends = [name for name in dict.fromkeys((*node.input, *node.output)) if name in found.counts]
                if node.op_type in _POINTWISE and node.name not in norms:
                    found.stops += [(node, name) for name in ends]
                else:
                    found.fixed.update(ends)
        return found

    def unscaled(self, operator: Any, tensor: str) -> str:
        from onnx import helper, numpy_helper

        takes = tensor in operator.input
        own = f"{operator.output[0]}_{'taken' if takes else 'made'}_{len(self.in_float)}"
        ones = np.ones((self.channels.counts[tensor], 1, 1), np.float32)
        self.model.graph.initializer.append(numpy_helper.from_array(ones, f"{own}_by"))
        self._constants[f"{own}_by"] = ones
        source, result = (tensor, own) if takes else (own, tensor)
        product = helper.make_node("Mul", [source, f"{own}_by"], [result], name=own)
        for names in (operator.input, operator.output):
            for place, name in enumerate(names):
                if name == tensor:
                    names[place] = own
        place = next(i for i, node in enumerate(self.model.graph.node) if node.output[0] == operator.output[0])
        self.model.graph.node.insert(place + (not takes), product)
        self.in_float |= {operator.name, own}
        return own

    def scale(self, factors: Factors) -> None:
        for number, layer in enumerate(self.convolutions):
            scale_weights(layer, factors.get(self.made_by(number)), factors.get(layer.source))
        for node in self.model.graph.node:
            if (place := self._stored_number(node, self.channels)) is not None:
                self._scale_number(node, place, factors)
        self.store()

    def _scale_number(self, node: Any, place: int, factors: Factors) -> None:
        """What is stored and added grows with the sum; what is multiplied with makes up for both ends."""
        from onnx import numpy_helper

        made, taken = factors.get(node.output[0]), factors.get(node.input[1 - place])
        if made is None and (taken is None or node.op_type != "Mul"):
            return
        by = np.ones(1) if made is None else made
        if node.op_type == "Mul" and taken is not None:
            by = by / taken
        scaled = self._constants[node.input[place]] * by.reshape(-1, 1, 1)
        node.input[place] = f"{node.output[0]}_scaled_by"
        self.model.graph.initializer.append(numpy_helper.from_array(scaled.astype(np.float32), node.input[place]))

    def _tie(self, found: Channels, node: Any) -> bool:
        """Note what `node` makes of its channels; False where it does not stand to have them scaled."""
        kind, made = node.op_type, node.output[0]
        taken = [name for name in node.input if name and name not in self._constants]
        if not taken or any(name not in found.counts for name in (*taken, *node.output)):
            return False
        if kind in _CHANNELWISE or (kind in ("Pad", "ReduceMean", "ReduceSum") and self._keeps_channels(node)):
            if len(taken) != 1 or found.counts[taken[0]] != found.counts[made]:
                return False
            found.tie(taken[0], made)
            return True
        if kind in _SUMS | {"Mul"} and len(node.input) == 2:
            return self._tie_two(found, node, taken, made)
        if kind in ("DepthToSpace", "SpaceToDepth"):
            deep, flat = sorted((taken[0], made), key=lambda name: -found.counts[name])
            _tie_blocks(found, deep, flat, node)
            return True
        if kind == "Concat" and attribute(node, "axis") in (_AXIS, _AXIS - _RANK):
            _tie_parts(found, made, taken)
            return len(taken) == len(node.input)
        if kind == "Split" and attribute(node, "axis", 0) in (_AXIS, _AXIS - _RANK):
            _tie_parts(found, taken[0], list(node.output))
            return True
        return kind == "Slice" and self._tie_slice(found, node, taken[0], made)

    def _keeps_channels(self, node: Any) -> bool:
        """Whether it pads with nothing or zeros, or reduces planes."""
        stored = [self._constants.get(name) for name in node.input]
        if node.op_type == "Pad":
            value = stored[2] if len(stored) > 2 and node.input[2] else None
            amounts = stored[1]
            grown = amounts is None or amounts[[_AXIS, _RANK + _AXIS]].any()
            return not grown and (len(node.input) < 3 or not node.input[2] or (value is not None and not value.any()))
        axes = attribute(node, "axes") or (stored[1] if len(stored) > 1 else None)
        return (
            axes is not None and {int(axis) % _RANK for axis in axes} <= {2, 3} and bool(attribute(node, "keepdims", 1))
        )

    def _tie_slice(self, found: Channels, node: Any, taken: str, made: str) -> bool:
        begins, ends, axes, *steps = (self._constants.get(name) for name in node.input[1:])
        if begins is None or axes is None or ends is None or any(each is None or (each != 1).any() for each in steps):
            return False
        by_axis = dict(zip((int(axis) % _RANK for axis in axes), map(int, begins), strict=True))
        found.tie(taken, made, by_axis.get(_AXIS, 0) % found.counts[taken])
        return True

    def _tie_two(self, found: Channels, node: Any, taken: list[str], made: str) -> bool:
        if len(taken) == 1:
            if self._stored_number(node, found) is None or found.counts[taken[0]] != found.counts[made]:
                return False
            if node.op_type != "Mul":
                found.tie(taken[0], made)
            return True
        if taken[0] == taken[1]:
            return False
        if node.op_type == "Mul":  # one factor keeps its scale
            gate = next((name for name in reversed(taken) if self._is_gate(name) or found.counts[name] == 1), taken[1])
            found.stops.append((node, gate))
            taken = [name for name in taken if name != gate]
        if any(found.counts[name] != found.counts[made] for name in taken):
            return False
        for name in taken:
            found.tie(made, name)
        return True

    def _is_gate(self, name: str) -> bool:
        return any(name in node.output and node.op_type in _GATES for node in self.model.graph.node)

    def _stored_number(self, node: Any, channels: Channels) -> int | None:
        """The place of a stored number, or one for each channel, in a sum or product with an activation."""
        if node.op_type not in _SUMS | {"Mul"}:
            return None
        count = channels.counts.get(node.output[0])
        for place, name in enumerate(node.input):
            value = self._constants.get(name)
            if value is not None and count is not None:
                one_each = value.ndim in (3, 4) and value.shape[-3:] == (count, 1, 1) and value.size == count
                return place if value.size == 1 or one_each else None
        return None


def _tie_blocks(found: Channels, deep: str, flat: str, node: Any) -> None:
    """A channel of the larger picture is one of the smaller at each place of a block."""
    count, blocks = found.counts[flat], found.counts[deep] // found.counts[flat]
    by_channel = attribute(node, "mode", "DCR") in ("CRD", b"CRD")
    for block in range(blocks):
        places = np.arange(count) * blocks + block if by_channel else np.arange(count) + block * count
        found.ties.append(Tie(deep, places, flat, np.arange(count)))


def _tie_parts(found: Channels, whole: str, parts: list[str]) -> None:
    first = 0
    for part in parts:
        found.tie(whole, part, first)
        first += found.counts[part]
