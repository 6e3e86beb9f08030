"""New nodes in the place of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from exporter.graph.onnx_editor import Array, OnnxGraph


class Writer:
    """Makes nodes in the place of one, each named after its output; the last gives what that one gave."""

    def __init__(self, graph: OnnxGraph, node: Any) -> None:
        self.graph, self._node = graph, node
        self._word = next(filter(None, node.output))  # the first may be left out
        self.made: list[Any] = []

    def __call__(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self.named(f"{self._word}_{kind.lower()}{len(self.made)}", kind, *inputs, **attributes)

    def named(self, name: str, kind: str, *inputs: str, **attributes: Any) -> str:
        """A node whose result is called `name`, such as the second output of the one that is replaced."""
        from onnx import helper

        self.made.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def number(self, value: float) -> str:
        return self.array(np.array(value, np.float32), "number")

    def places(self, *values: int) -> str:
        return self.array(np.array(values, np.int64), "axes")

    def array(self, value: Array, word: str = "numbers") -> str:
        return self.graph.add_constant(f"{self._word}_{word}", value)

    def part(self, x: str, axis: int, start: int, end: int, step: int = 1) -> str:
        """`x` from `start` to before `end` along `axis`."""
        numbers = [self.places(number) for number in (start, end, axis, step)]
        return self("Slice", x, *numbers)

    def reshaped(self, x: str, *shape: int) -> str:
        return self("Reshape", x, self.places(*shape))

    def finished(self) -> list[Any]:
        first = self._node.output[0]
        if first and first not in {name for node in self.made for name in node.output}:
            self.made[-1].output[0] = first
        return self.made


Rule = Callable[[Writer, OnnxGraph, Any], None]  # writes nothing where the node stays as it is


def replace(graph: OnnxGraph, rules: Mapping[str, Rule]) -> bool:
    """Write every node anew that `rules` have an answer to."""
    nodes: list[Any] = []
    modified = False
    for node in graph.nodes:
        rule = rules.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        writer = Writer(graph, node)
        if rule is not None:
            rule(writer, graph, node)
        nodes += writer.finished() if writer.made else [node]
        modified |= bool(writer.made)
    if modified:
        graph.replace_nodes(nodes)
    return modified
