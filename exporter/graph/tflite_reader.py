"""Reads a .tflite file's operators through the flatbuffer schema that LiteRT ships. Loads no engine."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from exporter.artifact import Format
from exporter.errors import CheckpointError
from exporter.failures import in_one_line
from exporter.graph.declared import METADATA_NAME, read_declared
from exporter.graph.graph import DYNAMIC, Graph, Node, Tensor
from exporter.graph.operators import TFLITE, UNKNOWN_TFLITE

_MARK = b"TFL3"  # the flatbuffer file identifier, at byte 4


def read_tflite(path: Path) -> Graph:
    """The operators of the first subgraph. Raises CheckpointError for a damaged file."""
    from ai_edge_litert import schema_py_generated as schema

    data = path.read_bytes()
    if data[4:8] != _MARK:
        raise CheckpointError(f"{path} is not a .tflite file: it lacks the mark TFL3")
    try:
        model = schema.Model.GetRootAs(data)
        return _graph(model, schema)
    except Exception as error:  # of a file that anybody may have written: whatever walking through it ends in
        raise CheckpointError(f"{path} is damaged: {in_one_line(error)[:200]}") from error


def _graph(model: Any, schema: Any) -> Graph:
    subgraph = model.Subgraphs(0)
    kinds = [_kind(model.OperatorCodes(i), schema) for i in range(model.OperatorCodesLength())]
    tensors = [_tensor(subgraph.Tensors(i), model, schema) for i in range(subgraph.TensorsLength())]
    return Graph(
        format=Format.TFLITE,
        inputs=tuple(tensors[i] for i in subgraph.InputsAsNumpy()),
        outputs=tuple(tensors[i] for i in subgraph.OutputsAsNumpy()),
        nodes=tuple(_node(subgraph.Operators(i), kinds, tensors, schema) for i in range(subgraph.OperatorsLength())),
        constants=tuple(tensor for tensor in tensors if tensor.constant),
        declared_float=_declared(model),
    )


def _declared(model: Any) -> frozenset[str]:
    entries = [model.Metadata(i) for i in range(model.MetadataLength())]
    buffers = [model.Buffers(entry.Buffer()) for entry in entries if entry.Name() == METADATA_NAME.encode()]
    return read_declared(buffers[0].DataAsNumpy().tobytes()) if buffers else frozenset()


def _kind(code: Any, schema: Any) -> str:
    # Old files keep the code in the deprecated byte, new ones in the int; the larger of the two is meant.
    builtin = max(code.DeprecatedBuiltinCode(), code.BuiltinCode())
    custom = code.CustomCode()
    if builtin == schema.BuiltinOperator.CUSTOM and custom:
        return f"CUSTOM:{custom.decode()}"
    return _names(schema.BuiltinOperator)[builtin]


def _tensor(tensor: Any, model: Any, schema: Any) -> Tensor:
    shape = tuple(int(size) for size in tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()
    if tensor.ShapeSignatureLength():
        signature = tensor.ShapeSignatureAsNumpy()
        shape = tuple(DYNAMIC if s < 0 else size for s, size in zip(signature, shape, strict=True))
    quantization = tensor.Quantization()
    quantized = quantization is not None and quantization.ScaleLength() > 0
    buffer = model.Buffers(tensor.Buffer())
    return Tensor(
        name=tensor.Name().decode(),
        shape=shape,
        dtype=_names(schema.TensorType)[tensor.Type()].lower(),
        constant=buffer.DataLength() > 0 or buffer.Size() > 0,
        scales=tuple(map(float, quantization.ScaleAsNumpy())) if quantized else (),
        zero_points=tuple(map(int, quantization.ZeroPointAsNumpy()))
        if quantized and quantization.ZeroPointLength()
        else (),
    )


def _node(operator: Any, kinds: list[str], tensors: list[Tensor], schema: Any) -> Node:
    kind = kinds[operator.OpcodeIndex()]
    inputs = tuple(tensors[i] for i in operator.InputsAsNumpy() if i >= 0)  # -1: optional and absent
    outputs = tuple(tensors[i] for i in operator.OutputsAsNumpy())
    options = schema.OperatorT.InitFromObj(operator).builtinOptions
    linear = TFLITE.get(kind, UNKNOWN_TFLITE).linear
    return Node(
        kind=kind,
        name=outputs[0].name if outputs else "",
        inputs=inputs,
        outputs=outputs,
        options=dict(vars(options)) if options is not None else {},
        macs=linear.macs([tensor.shape for tensor in inputs], outputs[0].shape) if linear else 0,
    )


@cache
def _names(enumeration: Any) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}
