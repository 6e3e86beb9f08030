"""Writes .tflite files operator by operator, so that each lint rule meets exactly what it is about."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

IMAGE = (1, 8, 12, 3)
PINNED = ((1 / 255,), (-128,))


@dataclass(frozen=True)
class T:
    """A tensor: constant when `stored`."""

    name: str
    shape: tuple[int, ...] = IMAGE
    dtype: str = "FLOAT32"
    quantized: tuple[tuple[float, ...], tuple[int, ...]] | None = None
    stored: bool = False


@dataclass(frozen=True)
class N:
    """A node: its kind, the names of its inputs and outputs, its options table and their values."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: str = ""
    values: tuple[tuple[str, Any], ...] = ()


def int8(name: str, shape: tuple[int, ...] = IMAGE, **changes: Any) -> T:
    return T(name, shape, "INT8", **({"quantized": PINNED} | changes))


def write_tflite(path: Path, tensors: list[T], nodes: list[N], inputs=("in",), outputs=("out",)) -> Path:
    index = {tensor.name: i for i, tensor in enumerate(tensors)}
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.description = 3, "test"
    model.buffers = [schema.BufferT()]
    graph.tensors = [_tensor(tensor, model) for tensor in tensors]
    graph.inputs, graph.outputs = [index[n] for n in inputs], [index[n] for n in outputs]
    model.operatorCodes, graph.operators = [], []
    for i, node in enumerate(nodes):
        model.operatorCodes.append(_code(node.kind))
        operator = schema.OperatorT()
        operator.opcodeIndex = i
        operator.inputs, operator.outputs = [index[n] for n in node.inputs], [index[n] for n in node.outputs]
        if node.options:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, node.options)
            operator.builtinOptions = getattr(schema, f"{node.options}T")()
            for key, value in node.values:
                setattr(operator.builtinOptions, key, value)
        graph.operators.append(operator)
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(builder.Output())
    return path


def _tensor(tensor: T, model: Any) -> Any:
    made = schema.TensorT()
    made.name, made.type = tensor.name, getattr(schema.TensorType, tensor.dtype)
    made.shape = [abs(size) for size in tensor.shape]
    if min(tensor.shape) < 0:
        made.shapeSignature = list(tensor.shape)
    made.buffer = len(model.buffers)
    buffer = schema.BufferT()
    if tensor.stored:
        buffer.data = np.ones(int(np.prod(tensor.shape)) * 4, np.uint8)
    model.buffers.append(buffer)
    if tensor.quantized:
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale, made.quantization.zeroPoint = map(list, tensor.quantized)
    return made


def _code(kind: str) -> Any:
    code = schema.OperatorCodeT()
    if kind.startswith("CUSTOM:"):
        code.builtinCode, code.customCode = schema.BuiltinOperator.CUSTOM, kind.removeprefix("CUSTOM:")
    else:
        code.builtinCode = getattr(schema.BuiltinOperator, kind)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    return code
