"""A .tflite graph written operator by operator, in one expression: `Net().conv().op("RELU").write(path)`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from exporter.graph.tflite_editor import TfliteGraph

IMAGE = (1, 8, 8, 4)
RNG = np.random.default_rng(0)


class Net:
    """A graph in the making; tensors go by number, `at` is the newest."""

    def __init__(self, shape: tuple[int, ...] = IMAGE, dtype: str = "FLOAT32") -> None:
        self.graph = TfliteGraph.empty()
        self.at = self.graph.add_tensor("input", shape, dtype)
        self.graph.inputs = [self.at]

    def const(self, value: Any, dtype: type = np.float32) -> int:
        return self.graph.add_constant(f"constant_{len(self.graph.tensors)}", np.asarray(value, dtype))

    def op(
        self, kind: str, inputs: list[int] | None = None, shape: tuple[int, ...] | None = None, options: str = "",
        *, dtype: str = "FLOAT32", version: int = 1, **values: Any,
    ) -> Net:  # fmt: skip
        """An operator on `inputs` (the newest tensor); its output (of the first one's shape) is then the newest."""
        inputs = [self.at] if inputs is None else inputs
        made = self.graph.add_tensor(f"{kind}_{len(self.graph.tensors)}", shape or self.graph.shape(inputs[0]), dtype)
        operator = self.graph.new_operator(kind, version, inputs, [made], options)
        for name, value in values.items():
            setattr(operator.builtinOptions, name, value)
        self.graph.operators.append(operator)
        self.at = made
        return self

    def conv(self, channels: int = 4, kernel: int = 3) -> Net:
        shape = self.graph.shape(self.at)
        weights = RNG.normal(0, 0.1, (channels, kernel, kernel, shape[-1]))
        inputs = [self.at, self.const(weights), self.const(np.zeros(channels))]
        return self.op("CONV_2D", inputs, (*shape[:3], channels), "Conv2DOptions", strideH=1, strideW=1)

    def on_stored(
        self, kind: str, value: Any, options: str = "", *, first: bool = False, dtype: str = "FLOAT32"
    ) -> Net:
        stored = self.const(value)
        return self.op(kind, [stored, self.at] if first else [self.at, stored], self.shape, options, dtype=dtype)

    def scaled(self, factor: float) -> Net:
        return self.on_stored("MUL", np.full((1, 1, 1, self.shape[-1]), factor), "MulOptions")

    def reshape(self, shape: tuple[int, ...]) -> Net:
        self.op("RESHAPE", [self.at, self.const(shape, np.int32)], shape, "ReshapeOptions")
        self.graph.operators[-1].builtinOptions.newShape = list(shape)
        return self

    def transpose(self, order: tuple[int, ...]) -> Net:
        shape = tuple(self.shape[axis] for axis in order)
        return self.op("TRANSPOSE", [self.at, self.const(order, np.int32)], shape, "TransposeOptions", version=2)

    def reduce(self, kind: str, axes: tuple[int, ...], *, keep: bool = True) -> Net:
        kept = tuple(1 if axis in axes else side for axis, side in enumerate(self.shape))
        shape = kept if keep else tuple(side for axis, side in enumerate(self.shape) if axis not in axes)
        return self.op(kind, [self.at, self.const(axes, np.int32)], shape, "ReducerOptions", keepDims=keep)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.graph.shape(self.at)

    def write(self, path: Path) -> Path:
        self.graph.outputs = [self.at]
        path.write_bytes(self.graph.to_bytes())
        return path
