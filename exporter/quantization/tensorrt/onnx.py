"""ONNX files for TensorRT's strongly typed networks: the file itself says what is computed in which number format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from exporter.graph.onnx_editor import OnnxGraph
from exporter.graph.open_sizes import open_sizes
from exporter.graph.operators import ONNX_WEIGHTED
from exporter.quantization.params import Range
from exporter.quantization.ranges.estimators import Wanted
from exporter.quantization.tensorrt.half_precision import to_half, with_opset
from exporter.quantization.tensorrt.qdq import CHANNELS, quantized_inputs, write_tensorrt_qdq

ENGINE_KEY = "exporter.engine"  # metadata: which engine the file was written for
ENGINE = "tensorrt"
_FLOAT32_BYTES = 4


@dataclass(frozen=True, slots=True)
class TensorrtForm:
    """What the file shall compute in. `keep_float`: patterns over operator kinds and node names."""

    int8: bool
    half: bool  # everything that is not int8, in float16
    narrow_int8: bool  # see is_narrow
    any_size: bool
    keep_float: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TensorrtPlan:
    """`model` computes in the formats of the file, but for int8; `origins`: its tensors that become int8 -> what the
    same tensor is called in `source`, the float32 model."""

    source: Any
    model: Any
    origins: Mapping[str, str]
    keep_float: frozenset[str]  # nodes

    @property
    def wanted(self) -> Wanted[str]:
        return Wanted(frozenset(self.origins.values()))


def plan_for_tensorrt(source: Path, form: TensorrtForm) -> TensorrtPlan:
    """The plan for `source`, a float32 ONNX file. Raises ValueError saying what does not fit."""
    import onnx

    model = with_opset(onnx.load(source))
    graph = OnnxGraph(to_half(model) if form.half else model)
    if form.any_size:
        open_sizes(graph)
    plain, kept = onnx.load(source), _float_nodes(graph, form)
    tensors = quantized_inputs(graph, kept) if form.int8 else frozenset()
    known = {plain.graph.input[0].name, *(name for node in plain.graph.node for name in node.output)}
    casts = {node.output[0]: node.input[0] for node in graph.nodes if node.op_type == "Cast"}
    origins = {tensor: _name_before(casts, tensor, known) for tensor in tensors}
    return TensorrtPlan(plain, graph.commit(), origins, kept)


def write_for_tensorrt(plan: TensorrtPlan, ranges: Mapping[str, Range], target: Path) -> None:
    """Write the file of `plan`; `ranges` are those that it wants."""
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(plan.model)
    graph = OnnxGraph(model)
    if plan.origins:
        write_tensorrt_qdq(graph, {tensor: ranges[name] for tensor, name in plan.origins.items()}, plan.keep_float)
    made = graph.commit()
    del made.graph.value_info[:]  # names there no longer exist
    made = onnx.shape_inference.infer_shapes(made)
    made.metadata_props.add(key=ENGINE_KEY, value=ENGINE)
    onnx.checker.check_model(made, full_check=True)
    onnx.save(made, target)


def is_for_tensorrt(model: Any) -> bool:
    """Whether an onnx.ModelProto says that it was written for TensorRT."""
    return any((entry.key, entry.value) == (ENGINE_KEY, ENGINE) for entry in model.metadata_props)


def _float_nodes(graph: OnnxGraph, form: TensorrtForm) -> frozenset[str]:
    return frozenset(
        node.name
        for node in graph.nodes
        if node.op_type in ONNX_WEIGHTED
        and (
            any(fnmatchcase(word, pattern) for word in (node.op_type, node.name) for pattern in form.keep_float)
            or (not form.narrow_int8 and is_narrow(node, graph))
        )
    )


def is_narrow(node: Any, graph: OnnxGraph) -> bool:
    """Whether a convolution's weights, channels filled up to 32 for int8 tensor cores, outgrow its float32 ones.

    Depthwise convolutions, and what reads or writes a picture's three channels. TensorRT-RTX stores them so.
    """
    weights = graph.constants.get(node.input[1])
    if node.op_type not in ("Conv", "ConvTranspose") or weights is None:
        return False
    filled = -(-weights.shape[0] // CHANNELS) * -(-weights.shape[1] // CHANNELS) * CHANNELS**2
    return bool(filled > _FLOAT32_BYTES * weights.shape[0] * weights.shape[1])


def _name_before(casts: Mapping[str, str], tensor: str, known: set[str]) -> str:
    """What `tensor` is called in the float32 model: conversion put casts, under new names, before or behind it."""
    while tensor not in known:
        tensor = casts[tensor]
    return tensor
