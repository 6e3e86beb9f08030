"""An ONNX graph that can be asked who makes and who uses a tensor, and edited in place.

Constants are kept as initializers only, so a rewrite has one place to look for a weight.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.graph.onnx_index import NodeIndex

Array = NDArray[Any]

LARGEST_FOLDED_ELEMENTS = 1 << 20  # above this a folded constant would bloat the file


class OnnxGraph:
    """The main graph of an onnx.ModelProto, whose nodes `commit` writes back.

    A node that is in the graph is edited through it (`set_input` and its like), as it keeps who makes and who reads
    what; names, kinds and attributes may be changed directly.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self._graph = model.graph
        self.constants: dict[str, Array] = {}
        self.folded = False  # whether opening it computed constants
        self.remarks: list[str] = []  # what a pass wants the user to know
        known = (*model.graph.output, *model.graph.input, *model.graph.value_info)
        self._described = {value.name: value for value in known}
        self._index = NodeIndex(self._read_constants())

    @property
    def nodes(self) -> list[Any]:
        return self._index.in_order()

    @property
    def outputs(self) -> set[str]:
        return {value.name for value in self._graph.output}

    def producer(self, tensor: str) -> Any | None:
        """The node that makes `tensor`; None for a graph input or a constant."""
        return self._index.maker(tensor)

    def consumers(self, tensor: str) -> list[Any]:
        """The nodes that read `tensor`, in order."""
        return self._index.readers(tensor)

    def has_one_use(self, tensor: str) -> bool:
        """True when exactly one node reads it, once, and the graph does not give it out."""
        uses = sum(list(node.input).count(tensor) for node in self._index.readers(tensor))
        return uses == 1 and tensor not in self.outputs

    def shape(self, tensor: str) -> tuple[int, ...] | None:
        """The static shape, of a constant or when shape inference knows it."""
        if tensor in self.constants:
            return tuple(self.constants[tensor].shape)
        value = self._described.get(tensor)
        if value is None or not value.type.tensor_type.HasField("shape"):
            return None
        dims = value.type.tensor_type.shape.dim
        return tuple(dim.dim_value for dim in dims) if all(dim.dim_value > 0 for dim in dims) else None

    def number_format(self, tensor: str) -> int | None:
        """As onnx.TensorProto numbers them; None when it is a constant or shape inference does not know it."""
        value = self._described.get(tensor)
        return value.type.tensor_type.elem_type or None if value is not None else None

    def is_empty(self, tensor: str) -> bool:
        """Whether shape inference found an axis without elements."""
        value = self._described.get(tensor)
        dims = value.type.tensor_type.shape.dim if value is not None else ()
        return any(dim.HasField("dim_value") and dim.dim_value == 0 for dim in dims)

    def add_constant(self, wanted: str, value: Array) -> str:
        """Store `value`; the name is `wanted` or, when that is taken, a numbered one."""
        name, number = wanted, 0
        while name in self.constants or self._index.maker(name) is not None:
            number += 1
            name = f"{wanted}_{number}"
        self.constants[name] = value
        return name

    def set_input(self, node: Any, place: int, tensor: str) -> None:
        """Let `node` read `tensor` at `place`."""
        self._index.set_inputs(node, [*node.input[:place], tensor, *node.input[place + 1 :]])

    def set_inputs(self, node: Any, tensors: Sequence[str]) -> None:
        """All that `node` reads, anew."""
        self._index.set_inputs(node, tensors)

    def set_output(self, node: Any, place: int, tensor: str) -> None:
        """Let `node` make `tensor` at `place`."""
        self._index.set_output(node, place, tensor)

    def insert_before(self, node: Any, made: Any) -> None:
        """Put `made` right before `node`."""
        self._index.insert_before(node, made)

    def replace_nodes(self, nodes: Iterable[Any]) -> None:
        """All nodes anew, in order."""
        self._index = NodeIndex(nodes)

    def remove(self, nodes: Iterable[Any]) -> None:
        for node in nodes:
            self._index.remove(node)

    def commit(self) -> Any:
        """Write the constants still in use back into the model, drop dead nodes, and return the model."""
        from onnx import numpy_helper

        kept = self._living_nodes()
        del self._graph.node[:]
        self._graph.node.extend(kept)
        used = {name for node in kept for name in node.input} | self.outputs
        del self._graph.initializer[:]
        for name, value in self.constants.items():
            if name in used:
                self._graph.initializer.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return self.model

    def _read_constants(self) -> list[Any]:
        """Fills `constants`; returns the nodes that are left."""
        from onnx import numpy_helper

        for tensor in self._graph.initializer:
            self.constants[tensor.name] = numpy_helper.to_array(tensor)
        del self._graph.initializer[:]
        left = []
        for node in self._graph.node:
            if all(name == "" or name in self.constants for name in node.input) and self._fold(node):
                self.folded = True
            else:
                left.append(node)
        return left

    def _fold(self, node: Any) -> bool:
        """Evaluate a node that reads constants only, with ONNX's reference implementation."""
        import onnx
        from onnx.reference import ReferenceEvaluator

        if any(
            attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) for attribute in node.attribute
        ):
            return False
        if node.domain not in ("", "ai.onnx") or node.op_type.startswith("Random"):
            return False
        feeds = {name: self.constants[name] for name in node.input if name}
        try:
            values = ReferenceEvaluator(node).run(None, feeds)
        except (RuntimeError, TypeError, ValueError):
            return False  # the node stays: an engine that knows it will compute it
        if any(np.asarray(value).size > LARGEST_FOLDED_ELEMENTS for value in values):
            return False
        for name, value in zip(node.output, values, strict=True):
            self.constants[name] = np.asarray(value)
        return True

    def _living_nodes(self) -> list[Any]:
        """Those that something of the graph's outputs is made of."""
        needed, living = set(self.outputs), []
        for node in reversed(self.nodes):
            if not needed.isdisjoint(node.output):
                living.append(node)
                needed.update(node.input)
        return living[::-1]


def attribute(node: Any, name: str, default: Any = None) -> Any:
    """The value of an attribute as Python or numpy; text as str."""
    from onnx import helper

    for found in node.attribute:
        if found.name == name:
            value = helper.get_attribute_value(found)
            return value.decode() if isinstance(value, bytes) else value
    return default


def set_attribute(node: Any, name: str, value: Any) -> None:
    """Replace or add an attribute; None removes it."""
    from onnx import helper

    kept = [found for found in node.attribute if found.name != name]
    del node.attribute[:]
    node.attribute.extend(kept)
    if value is not None:
        node.attribute.append(helper.make_attribute(name, value))
