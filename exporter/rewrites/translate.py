"""ONNX → TFLite, operator by operator, for what convolutional restoration networks are made of.

Every picture is (N, C, H, W) in ONNX and (N, H, W, C) in TFLite, and all shapes are known: so each operator has exactly
one translation and no layout has to be guessed from sizes. What is not listed here raises `Untranslatable`.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np

from exporter.rewrites.onnx_graph import Array, OnnxGraph, attribute
from exporter.rewrites.tflite_graph import TfliteGraph

NHWC = (0, 2, 3, 1)
AXIS = {0: 0, 1: 3, 2: 1, 3: 2}  # an axis of (N, C, H, W) in (N, H, W, C)


class Untranslatable(Exception):
    """This operator has no translation here: `op`, `node` and why."""

    def __init__(self, node: Any, why: str) -> None:
        super().__init__(why)
        self.op, self.node, self.why = node.op_type, node.name, why


class Translation:
    """A TFLite graph under construction, and which of its tensors holds which ONNX tensor."""

    def __init__(self, source: OnnxGraph) -> None:
        self.source = source
        self.target = TfliteGraph.empty()
        self.tensors: dict[str, int] = {}

    def shape(self, node: Any, name: str) -> tuple[int, int, int, int]:
        """(N, H, W, C) of an ONNX picture."""
        shape = self.source.shape(name)
        if shape is None or len(shape) != 4:
            raise Untranslatable(node, f"its tensor {name} has shape {shape}, not four known sizes")
        batch, channels, height, width = shape
        return batch, height, width, channels

    def picture(self, node: Any, place: int = 0) -> int:
        name = node.input[place]
        if name not in self.tensors:
            raise Untranslatable(node, f"its input {name} is not a picture")
        return self.tensors[name]

    def constant(self, node: Any, place: int, default: Array | None = None) -> Array:
        if place >= len(node.input) or not node.input[place]:
            if default is None:
                raise Untranslatable(node, f"input {place} is missing")
            return default
        value = self.source.constants.get(node.input[place])
        if value is None:
            raise Untranslatable(node, f"its input {node.input[place]} is computed, not constant")
        return value

    def operand(self, node: Any, place: int) -> int:
        """A picture, or a constant in NHWC."""
        value = self.source.constants.get(node.input[place])
        if value is None:
            return self.picture(node, place)
        if value.size == 1:
            return self.stored(node.input[place], value.reshape(()).astype(np.float32))
        if value.ndim > 4:
            raise Untranslatable(node, f"its constant {node.input[place]} has rank {value.ndim}")
        full = value.reshape((1,) * (4 - value.ndim) + value.shape)
        return self.stored(node.input[place], full.transpose(NHWC).astype(np.float32))

    def stored(self, name: str, value: Array) -> int:
        return self.target.add_constant(name, value)

    def result(self, node: Any, place: int = 0) -> int:
        """The tensor that will hold the node's output, named like the node."""
        name = node.output[place]
        index = self.target.add_tensor(name, self.shape(node, name), "FLOAT32")
        self.tensors[name] = index
        return index

    def between(self, node: Any, part: str, shape: tuple[int, ...]) -> int:
        """A tensor that ONNX has not."""
        return self.target.add_tensor(f"{node.output[0]}_{part}", shape, "FLOAT32")

    def emit(
        self,
        kind: str,
        inputs: list[int],
        outputs: list[int],
        table: str = "",
        version: int = 1,
        **options: Any,
    ) -> None:
        """Append one operator; `table` names its options' table, `options` fill it."""
        operator = self.target.new_operator(kind, version, inputs, outputs, table)
        for name, value in options.items():
            setattr(operator.builtinOptions, name, value)
        self.target.operators.append(operator)


Translator = Callable[[Translation, Any], None]


def translate(model: Any) -> TfliteGraph:
    """The .tflite graph of an onnx.ModelProto that takes and gives (1, 3, H, W). Raises Untranslatable."""
    from exporter.rewrites.translate_convolutions import CONVOLUTIONS
    from exporter.rewrites.translate_pictures import PICTURES
    from exporter.rewrites.translate_values import VALUES

    known: dict[str, Translator] = {**CONVOLUTIONS, **PICTURES, **VALUES}
    source = OnnxGraph(deepcopy(model))
    work = Translation(source)
    first = model.graph.input[0].name
    batch, channels, height, width = source.shape(first) or (0, 0, 0, 0)
    work.tensors[first] = work.target.add_tensor("input", (batch, height, width, channels), "FLOAT32")
    for node in source.nodes:
        translator = known.get(node.op_type)
        if translator is None or node.domain not in ("", "ai.onnx"):
            raise Untranslatable(node, "TFLite has no counterpart that this project knows")
        translator(work, node)
    work.target.inputs = [work.tensors[first]]
    work.target.outputs = [work.tensors[model.graph.output[0].name]]
    return work.target


def integers(node: Any, name: str, default: list[int]) -> list[int]:
    return [int(value) for value in attribute(node, name, default) or default]
