"""A .tflite file's operators in the form that audit and lint look at. Loads no engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from exporter.artifact import Format
from exporter.errors import CheckpointError
from exporter.failures import in_one_line
from exporter.graph.declared import declared_float
from exporter.graph.graph import DYNAMIC, Graph, Node, Tensor
from exporter.graph.operators import TFLITE, UNKNOWN_TFLITE
from exporter.graph.tflite_editor import TfliteGraph, open_tflite


def read_tflite(path: Path, signature: str = "") -> Graph:
    """The file's operators, or those of one of its signatures. Raises CheckpointError for a damaged file."""
    graph = open_tflite(path, signature)
    try:
        tensors = [_tensor(graph, index) for index in range(len(graph.tensors))]
        return Graph(
            format=Format.TFLITE,
            inputs=tuple(tensors[index] for index in graph.inputs),
            outputs=tuple(tensors[index] for index in graph.outputs),
            nodes=tuple(_node(graph, operator, tensors) for operator in graph.operators),
            constants=tuple(tensor for tensor in tensors if tensor.constant),
            declared_float=declared_float(graph),
        )
    except Exception as error:  # of a file that anybody may have written: whatever walking through it ends in
        raise CheckpointError(f"{path} is damaged: {in_one_line(error)[:200]}") from error


def _tensor(graph: TfliteGraph, index: int) -> Tensor:
    tensor, shape = graph.tensors[index], graph.shape(index)
    if tensor.shapeSignature is not None:
        pairs = zip(tensor.shapeSignature, shape, strict=True)
        shape = tuple(DYNAMIC if open_size < 0 else size for open_size, size in pairs)
    scales, zero_points = graph.quantization(index) or ((), ())
    buffer = graph.model.buffers[tensor.buffer]
    return Tensor(
        name=graph.name(index),
        shape=shape,
        dtype=graph.dtype(index).lower(),
        constant=(buffer.data is not None and len(buffer.data) > 0) or buffer.size > 0,
        scales=tuple(map(float, scales)),
        zero_points=tuple(map(int, zero_points)),
    )


def _node(graph: TfliteGraph, operator: Any, tensors: list[Tensor]) -> Node:
    kind, options = graph.kind(operator), operator.builtinOptions
    inputs = tuple(tensors[index] for index in operator.inputs if index >= 0)  # -1: optional and absent
    outputs = tuple(tensors[index] for index in operator.outputs)
    linear = TFLITE.get(kind, UNKNOWN_TFLITE).linear
    return Node(
        kind=kind,
        name=outputs[0].name if outputs else "",
        inputs=inputs,
        outputs=outputs,
        options=dict(vars(options)) if options is not None else {},
        macs=linear.macs([tensor.shape for tensor in inputs], outputs[0].shape) if linear else 0,
    )
