"""Writes INT8 into an ONNX file as TensorRT documents it: explicit, symmetric, on inputs of weighted operators only.

The placement of NVIDIA's "Working with Quantized Types": nothing between a convolution and its activation, float
biases, and a residual that is added to a convolution's result in the scale of the convolution that reads it next, so
that convolution, addition and activation become one kernel. What is added to make the output picture stays in float:
127 levels are not enough for it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.graph.onnx_editor import OnnxGraph
from exporter.graph.operators import ONNX_WEIGHTED
from exporter.quantization.params import HIGHEST, SILENT_SPAN, Floats, Range

CHANNELS = 32  # int8 tensor cores work on groups of so many channels; others are filled up with zeros


def quantized_inputs(graph: OnnxGraph, keep_float: Collection[str]) -> frozenset[str]:
    """The activations that become int8: what weighted operators read that `keep_float` does not name.

    Raises ValueError when there is nothing to quantise.
    """
    weighted = _weighted(graph, keep_float)
    if not weighted:
        raise ValueError(f"there is nothing to quantise: no {' or '.join(ONNX_WEIGHTED)}, or all of them stay in float")
    return frozenset(name for node in weighted.values() for name in node.input[:2] if name not in graph.constants)


def write_tensorrt_qdq(graph: OnnxGraph, ranges: Mapping[str, Range], keep_float: Collection[str]) -> None:
    """Quantise `graph` in place, with a range for each of its `quantized_inputs`.

    Its float tensors may be float32 or float16. `keep_float` names nodes.
    """
    weighted = _weighted(graph, keep_float)
    dtype = _float_type(graph, weighted)
    scales = {name: _symmetric(values, dtype) for name, values in ranges.items()}
    residuals = _fused_residuals(graph, weighted)
    made: list[Any] = []
    for value in graph.model.graph.input:
        made += _pair(graph, value.name, scales)
    dequantized: dict[str, str] = {}  # weights used twice are stored once
    for node in graph.nodes:
        result = node.output[0]
        if result in weighted:
            made += _quantize_weights(graph, node, dtype, dequantized)
        for position, name in enumerate(node.input):
            if name in scales and (result in weighted or residuals.get(result) == name):
                graph.set_input(node, position, f"{name}_dequantized")
        made.append(node)
        for name in node.output:
            made += _pair(graph, name, scales)
    graph.replace_nodes(made)


def _weighted(graph: OnnxGraph, keep_float: Collection[str]) -> dict[str, Any]:
    """By what they make."""
    return {
        node.output[0]: node for node in graph.nodes if node.op_type in ONNX_WEIGHTED and node.name not in keep_float
    }


def _fused_residuals(graph: OnnxGraph, weighted: Mapping[str, Any]) -> dict[str, str]:
    """What an addition inside the network makes → the summand that is not the convolution's own result.

    An addition that no weighted operator comes after makes the output picture and is none of them.
    """
    go_on: set[str] = set()  # tensors that a weighted operator reads, at once or later
    residuals = {}
    for node in reversed(graph.nodes):
        continues = not go_on.isdisjoint(node.output)
        if continues and node.op_type == "Add":
            others = [name for name in node.input if name not in weighted]
            if len(others) == 1:
                residuals[node.output[0]] = others[0]
        if continues or node.output[0] in weighted:
            go_on.update(node.input)
    return residuals


def _float_type(graph: OnnxGraph, weighted: Mapping[str, Any]) -> np.dtype[Any]:
    stored = [
        graph.constants[name].dtype for node in weighted.values() for name in node.input[:2] if name in graph.constants
    ]
    return stored[0] if stored else np.dtype(np.float32)


def _symmetric(values: Range, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The scale of int8 with zero point 0 that holds `values`."""
    largest = max(-values.low, values.high, SILENT_SPAN)
    return np.asarray(max(largest / HIGHEST, _smallest_scale(dtype)), dtype)


def _quantize_weights(graph: OnnxGraph, node: Any, dtype: np.dtype[Any], dequantized: dict[str, str]) -> Iterator[Any]:
    """Stored weights as int8 with one scale per output channel, behind a DequantizeLinear: the new nodes."""
    from onnx import helper

    for position, name in enumerate(node.input[:2]):
        if name not in graph.constants:
            continue
        if name not in dequantized:
            weights = graph.constants[name].astype(np.float32)
            axis = _output_axis(node, weights.ndim)
            values, scales = _codes(weights, axis, dtype)
            stored = graph.add_constant(f"{name}_int8", values)
            code = [stored, graph.add_constant(f"{name}_scale", scales)]
            code.append(graph.add_constant(f"{name}_zero_point", np.zeros(scales.shape, np.int8)))
            options = {} if axis is None else {"axis": axis}
            dequantized[name] = f"{stored}_dequantized"
            yield helper.make_node("DequantizeLinear", code, [dequantized[name]], name=dequantized[name], **options)
        graph.set_input(node, position, dequantized[name])


def _codes(weights: Floats, axis: int | None, dtype: np.dtype[Any]) -> tuple[NDArray[np.int8], NDArray[Any]]:
    """int8 weights and their scales as stored: rounded to `dtype` first, so that the steps fit them."""
    others = tuple(dim for dim in range(weights.ndim) if dim != axis)
    largest = np.abs(weights).max(axis=others if axis is not None else None, keepdims=axis is not None)
    scales = np.asarray(np.maximum(largest / HIGHEST, _smallest_scale(dtype)), dtype)
    values = np.clip(np.round(weights / scales.astype(np.float32)), -HIGHEST, HIGHEST)
    return values.astype(np.int8), scales.reshape(-1) if axis is not None else scales


def _smallest_scale(dtype: np.dtype[Any]) -> float:
    return 2.0**-14 if dtype == np.float16 else 1e-12  # the smallest normal float16: below it digits are lost


def _output_axis(node: Any, rank: int) -> int | None:
    """Where a weight tensor's output channels are; None: one scale for all, where TensorRT knows no other."""
    options = {attribute.name: attribute.i for attribute in node.attribute}
    axis = ONNX_WEIGHTED[node.op_type].channel_axis
    if node.op_type == "ConvTranspose":
        return axis if options.get("group", 1) == 1 else None
    if node.op_type == "MatMul":
        return axis % rank if rank == 2 else None
    return 0 if options.get("transB") else axis


def _pair(graph: OnnxGraph, tensor: str, scales: Mapping[str, NDArray[Any]]) -> Iterator[Any]:
    """QuantizeLinear and DequantizeLinear behind `tensor`, when it has a scale."""
    from onnx import helper

    if tensor in scales:
        scale = graph.add_constant(f"{tensor}_scale", scales[tensor])
        zero = graph.add_constant(f"{tensor}_zero_point", np.asarray(0, np.int8))
        code, made = f"{tensor}_int8", f"{tensor}_dequantized"
        yield helper.make_node("QuantizeLinear", [tensor, scale, zero], [code], name=code)
        yield helper.make_node("DequantizeLinear", [code, scale, zero], [made], name=made)
