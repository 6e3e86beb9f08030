"""Where an axis of a tensor comes from: of a picture's channels, or of its places."""

from __future__ import annotations

from typing import Any

from exporter.graph.axes import matching_groups
from exporter.graph.onnx_editor import OnnxGraph, attribute

POINTWISE = frozenset({
    "Abs", "Add", "Cast", "Clip", "Cos", "Div", "Elu", "Equal", "Erf", "Exp", "Gelu", "Greater", "GreaterOrEqual",
    "HardSigmoid", "HardSwish", "LeakyRelu", "Less", "LessOrEqual", "Log", "Max", "Min", "Mul", "Neg", "Not", "Pow",
    "Reciprocal", "Relu", "Sigmoid", "Sign", "Sin", "Softplus", "Sqrt", "Sub", "Tanh", "Where",
})  # fmt: skip
_KEEP_AXES = POINTWISE | {
    "BatchNormalization", "Concat", "Expand", "Identity", "InstanceNormalization", "LayerNormalization", "Pad", "Slice",
    "Softmax", "Split",
}  # fmt: skip
_RESHAPES = frozenset({"Reshape", "Squeeze", "Unsqueeze", "Flatten"})


class Lineage:
    """Answers for the graph as it is when this is made."""

    def __init__(self, graph: OnnxGraph) -> None:
        self._graph = graph
        self._makers = {name: node for node in graph.nodes for name in node.output}

    def maker(self, tensor: str) -> Any | None:
        return self._makers.get(tensor)

    def is_part_of_channels(self, tensor: str, axis: int) -> bool:
        """Whether `axis` is the outer of those that a layer's channels were split into."""
        was_split = False
        while (node := self._makers.get(tensor)) is not None:
            shape = self._graph.shape(tensor) or ()
            if node.op_type in ("Conv", "ConvTranspose"):
                return was_split and axis == 1
            if node.op_type in ("MatMul", "Gemm") and node.input[1] in self._graph.constants:
                return was_split and axis == len(shape) - 1
            if node.op_type in _RESHAPES:
                source = self._graph.shape(node.input[0])
                if source is None:
                    return False
                before, after = next(pair for pair in matching_groups(source, shape) if axis in pair[1])
                was_split |= any(shape[other] > 1 for other in after if other > axis)
                tensor, axis = node.input[0], next((other for other in before if source[other] > 1), before[0])
            elif (found := self._before(node, shape, axis)) is not None:
                tensor, axis = found
            else:
                return False
        return False

    def _before(self, node: Any, shape: tuple[int, ...], axis: int) -> tuple[str, int] | None:
        """(the operand, its axis) that an axis of what `node` gives comes from."""
        if node.op_type == "Transpose":
            perm = attribute(node, "perm", [*range(len(shape))][::-1])
            return node.input[0], perm[axis]
        if node.op_type == "Gather":
            places = self._graph.shape(node.input[1])
            gone = attribute(node, "axis", 0) % (len(shape) + 1)
            return (node.input[0], axis + (axis >= gone)) if places == () else None
        if node.op_type.startswith("Reduce") and attribute(node, "keepdims", 1):
            return node.input[0], axis
        if node.op_type not in _KEEP_AXES:
            return None
        for name in node.input:
            own = self._graph.shape(name)
            place = axis - len(shape) + len(own or ())
            if own is not None and name not in self._graph.constants and place >= 0 and own[place] > 1:
                return name, place
        return None
