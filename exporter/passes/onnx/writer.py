"""New nodes in the place of one."""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.graph.onnx_editor import OnnxGraph


class Writer:
    """Makes nodes in the place of one, each named after its output; the last gives what that one gave."""

    def __init__(self, graph: OnnxGraph, node: Any) -> None:
        self.graph, self._node = graph, node
        self.made: list[Any] = []

    def __call__(self, kind: str, *inputs: str, **attributes: Any) -> str:
        from onnx import helper

        name = f"{self._node.output[0]}_{kind.lower()}{len(self.made)}"
        self.made.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def number(self, value: float) -> str:
        return self.graph.add_constant(f"{self._node.output[0]}_number", np.array(value, np.float32))

    def places(self, *values: int) -> str:
        return self.graph.add_constant(f"{self._node.output[0]}_axes", np.array(values, np.int64))

    def finished(self) -> list[Any]:
        self.made[-1].output[0] = self._node.output[0]
        return self.made
