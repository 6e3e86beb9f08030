"""Which node makes and which nodes read a tensor, kept while a graph is edited: no question walks through the graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

Place = tuple[float, ...]  # of a node among the others; compared as tuples are


class NodeIndex:
    """The nodes of a graph in order (onnx.NodeProto, told apart by identity), and who makes and who reads what."""

    def __init__(self, nodes: Iterable[Any]) -> None:
        self._nodes: dict[int, Any] = {}  # by identity; a dead node's would be given to another one
        self._places: dict[int, Place] = {}
        self._makers: dict[str, Any] = {}
        self._readers: dict[str, dict[int, Any]] = {}
        self._inserted = count()
        self._in_order: list[Any] | None = None
        for number, node in enumerate(nodes):
            self._add(node, (number,))

    def in_order(self) -> list[Any]:
        if self._in_order is None:
            self._in_order = self._sorted(self._nodes.values())
        return list(self._in_order)

    def maker(self, tensor: str) -> Any | None:
        return self._makers.get(tensor)

    def readers(self, tensor: str) -> list[Any]:
        return self._sorted(self._readers.get(tensor, {}).values())

    def set_inputs(self, node: Any, tensors: Sequence[str]) -> None:
        self._forget_inputs(node)
        node.input[:] = list(tensors)
        self._note_inputs(node)

    def set_output(self, node: Any, place: int, tensor: str) -> None:
        self._forget_outputs(node)
        node.output[place] = tensor
        self._makers.update(dict.fromkeys(node.output, node))

    def insert_before(self, node: Any, made: Any) -> None:
        *before, last = self._places[id(node)]
        self._add(made, (*before, last - 0.5, next(self._inserted)))
        self._makers.update(dict.fromkeys(made.output, made))  # also where `node` goes next, which still makes it

    def remove(self, node: Any) -> None:
        self._forget_inputs(node)
        self._forget_outputs(node)
        del self._nodes[id(node)], self._places[id(node)]
        self._in_order = None

    def _add(self, node: Any, place: Place) -> None:
        self._nodes[id(node)], self._places[id(node)] = node, place
        for tensor in node.output:
            self._makers.setdefault(tensor, node)
        self._note_inputs(node)
        self._in_order = None

    def _sorted(self, nodes: Iterable[Any]) -> list[Any]:
        return sorted(nodes, key=lambda node: self._places[id(node)])

    def _note_inputs(self, node: Any) -> None:
        for tensor in node.input:
            self._readers.setdefault(tensor, {})[id(node)] = node

    def _forget_inputs(self, node: Any) -> None:
        for tensor in node.input:
            self._readers[tensor].pop(id(node), None)

    def _forget_outputs(self, node: Any) -> None:
        for tensor in node.output:
            if self._makers.get(tensor) is node:
                del self._makers[tensor]
