"""Float nodes that ONNX Runtime would compute in integers, because INT8 nodes stand on both their sides.

Its optimiser moves pairs over reshapes and makes one integer node of whatever it then finds between two pairs, also
where the quantizer put none for precision's sake: a softmax gets steps of 1/256, and a cubic resizing ends the session.
A maximum with the lowest number changes no value and keeps the node and the pair behind it apart.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from exporter.graph.onnx_editor import attribute
from exporter.graph.operators import ONNX, ONNX_WEIGHTED, UNKNOWN_ONNX

LOWEST = "lowest_float"


def keep_float_apart(model: Any, in_float: Collection[str]) -> frozenset[str]:
    """Put a Max behind every node of an onnx.ModelProto named in `in_float` that stands between INT8 ones.

    Returns `in_float` with the names of new nodes that are to stay in float, too.
    """
    from onnx import helper, numpy_helper

    places = _Places(model, frozenset(in_float))
    found = [node for node in model.graph.node if places.is_fused(node)]
    if found:
        lowest = np.array(np.finfo(np.float32).min, np.float32)
        model.graph.initializer.append(numpy_helper.from_array(lowest, LOWEST))
    names = set(in_float)
    for node in found:
        if node.op_type == "Resize" and attribute(node, "mode") == "cubic":
            names.add(_keep_transpositions_away(model, node))
        made = node.output[0]
        node.output[0] = f"{made}_apart"
        apart = helper.make_node("Max", [node.output[0], LOWEST], [made], name=f"{made}_apart")
        model.graph.node.insert(list(model.graph.node).index(node) + 1, apart)
    return frozenset(names)


def _keep_transpositions_away(model: Any, resize: Any) -> str:
    """ONNX Runtime moves transpositions to where they cancel, but has no cubic reduction of (1, H, W, C): they stop at
    a pooling of single pixels, whose name is returned."""
    from onnx import helper

    source = resize.input[0]
    resize.input[0] = f"{resize.output[0]}_source"
    pixels = helper.make_node("AveragePool", [source], [resize.input[0]], name=resize.input[0], kernel_shape=[1, 1])
    model.graph.node.insert(list(model.graph.node).index(resize), pixels)
    return str(pixels.name)


class _Places:
    """What stands before and behind a node, beyond nodes that only move."""

    def __init__(self, model: Any, in_float: frozenset[str]) -> None:
        self._in_float = in_float
        self._makers = {name: node for node in model.graph.node for name in node.output}
        self._stored = {tensor.name for tensor in model.graph.initializer}
        self._users: dict[str, list[Any]] = {}
        for node in model.graph.node:
            for name in dict.fromkeys(node.input):
                self._users.setdefault(name, []).append(node)

    def is_fused(self, node: Any) -> bool:
        if node.name not in self._in_float or not _scale(node) or node.op_type in ONNX_WEIGHTED:
            return False
        activations = [name for name in node.input if name and name not in self._stored]
        return all(map(self._is_written_in_int8, activations)) and self._is_read_in_int8(node.output[0])

    def _is_written_in_int8(self, name: str) -> bool:
        maker = self._makers.get(name)
        if maker is None:
            return True  # the picture
        if _scale(maker) == "input":
            return self._is_written_in_int8(maker.input[0])
        return bool(_scale(maker)) and maker.name not in self._in_float

    def _is_read_in_int8(self, name: str) -> bool:
        return any(
            self._is_read_in_int8(user.output[0])
            if _scale(user) == "input"
            else bool(_scale(user)) and user.name not in self._in_float
            for user in self._users.get(name, ())
        )


def _scale(node: Any) -> str | None:
    return ONNX.get(node.op_type, UNKNOWN_ONNX).scale
