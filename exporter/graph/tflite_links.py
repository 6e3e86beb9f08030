"""Which operators of a .tflite make and read a tensor, for as long as one pass asks and edits.

A pass that asks the graph itself walks through all operators for each question.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from exporter.graph.tflite_editor import TfliteGraph


class Links:
    """Who makes and who reads what in `graph`, true while all edits of operators go through it."""

    def __init__(self, graph: TfliteGraph) -> None:
        self.graph = graph
        self._makers: dict[int, Any] = {}
        self._readers: dict[int, dict[int, Any]] = {}
        for operator in graph.operators:
            self._note(operator)

    def maker(self, tensor: int) -> Any | None:
        return self._makers.get(tensor)

    def readers(self, tensor: int) -> list[Any]:
        return list(self._readers.get(tensor, {}).values())

    def only_reader(self, tensor: int) -> Any | None:
        """The one operator that reads `tensor`, which the graph does not give out."""
        readers = self._readers.get(tensor, {})
        return next(iter(readers.values())) if len(readers) == 1 and tensor not in self.graph.outputs else None

    def rewire(self, operator: Any, inputs: Iterable[int] | None = None, outputs: Iterable[int] | None = None) -> None:
        """What `operator` reads and makes, anew."""
        self._forget(operator)
        operator.inputs = list(operator.inputs if inputs is None else inputs)
        operator.outputs = list(operator.outputs if outputs is None else outputs)
        self._note(operator)

    def replace_uses(self, old: int, new: int) -> None:
        """Whatever reads `old`, and the graph's end if it gives it out, has `new` instead."""
        for operator in self.readers(old):
            self.rewire(operator, [new if index == old else index for index in operator.inputs])
        self.graph.outputs = [new if index == old else index for index in self.graph.outputs]

    def insert(self, place: int, operator: Any) -> None:
        self.graph.operators.insert(place, operator)
        self._note(operator)

    def remove(self, operator: Any) -> None:
        self.graph.operators.remove(operator)
        self._forget(operator)

    def _note(self, operator: Any) -> None:
        for tensor in operator.inputs:
            self._readers.setdefault(tensor, {})[id(operator)] = operator
        for tensor in operator.outputs:
            self._makers[tensor] = operator

    def _forget(self, operator: Any) -> None:
        for tensor in operator.inputs:
            self._readers.get(tensor, {}).pop(id(operator), None)  # a constant may have been exchanged
        for tensor in operator.outputs:
            if self._makers.get(tensor) is operator:
                del self._makers[tensor]
