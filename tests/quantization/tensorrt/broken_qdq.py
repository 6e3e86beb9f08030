"""Ways to break a Q/DQ file for TensorRT; `refused` says whether NVIDIA's parser refuses it.

What it takes is broken all the same: it runs slower, in float, or gives other numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import helper, numpy_helper


@dataclass(frozen=True)
class Broken:
    apply: Callable[[Any], Any]
    rule: str
    severity: str
    refused: bool
    named: bool = True  # the parser's refusal names the node


def _first(model: Any, kind: str, stored: bool | None = None) -> Any:
    names = {tensor.name for tensor in model.graph.initializer}
    return next(
        node for node in model.graph.node
        if node.op_type == kind and (stored is None or (node.input[0] in names) == stored)
    )  # fmt: skip


def _replace(model: Any, name: str, values: np.ndarray) -> None:
    for tensor in model.graph.initializer:
        if tensor.name == name:
            tensor.CopyFrom(numpy_helper.from_array(values, name))


def _value(model: Any, name: str) -> np.ndarray:
    return next(numpy_helper.to_array(tensor) for tensor in model.graph.initializer if tensor.name == name)


def _code(zero_point: Any) -> Callable[[Any], Any]:
    def apply(model: Any) -> Any:
        _replace(model, _first(model, "QuantizeLinear").input[2], zero_point)
        return model

    return apply


def _scale(value: float) -> Callable[[Any], Any]:
    def apply(model: Any) -> Any:
        _replace(model, _first(model, "QuantizeLinear").input[1], np.asarray(value, np.float32))
        return model

    return apply


def _scale_per_channel(model: Any) -> Any:
    quantize = _first(model, "QuantizeLinear")
    for node in model.graph.node:
        if node is quantize or quantize.output[0] in node.input:
            node.input[1], node.input[2] = "scale_of_each", "zero_of_each"
    channels = model.graph.input[0].type.tensor_type.shape.dim[3].dim_value
    for name, values in (
        ("scale_of_each", np.full(channels, 0.01, np.float32)),
        ("zero_of_each", np.zeros(channels, np.int8)),
    ):
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    return model


def computed_scale(model: Any) -> Any:
    """Not in BROKEN: NVIDIA's parser does not survive it."""
    quantize, picture = _first(model, "QuantizeLinear"), model.graph.input[0].name
    for node in model.graph.node:
        if node is quantize or quantize.output[0] in node.input:
            node.input[1] = "largest"
    model.graph.node.insert(0, helper.make_node("ReduceMax", [picture], ["largest"], name="largest", keepdims=0))
    return model


def _old_opset(model: Any) -> Any:
    model.opset_import[0].version = 12
    return model


def _bias(model: Any) -> Any:
    node = next(n for n in model.graph.node if n.op_type == "Conv" and len(n.input) == 3)
    length = len(_value(model, node.input[2]))
    model.graph.initializer.append(numpy_helper.from_array(np.ones(length, np.int32), "bias_int32"))
    model.graph.initializer.append(numpy_helper.from_array(np.full(length, 1e-4, np.float32), "bias_scale"))
    made = helper.make_node("DequantizeLinear", ["bias_int32", "bias_scale"], ["bias_float"], name="bias_dq", axis=0)
    model.graph.node.insert(0, made)
    node.input[2] = "bias_float"
    return model


def _weights_only(model: Any) -> Any:
    node = _first(model, "Conv")
    pair = next(n for n in model.graph.node if n.output[0] == node.input[0])
    code = next(n for n in model.graph.node if n.output[0] == pair.input[0])
    node.input[0] = code.input[0]
    return model


def _weight_axis(model: Any) -> Any:
    dequantize = _first(model, "DequantizeLinear", stored=True)
    for node in model.graph.node:
        if node.op_type == "Conv":
            dequantize = next(n for n in model.graph.node if n.output[0] == node.input[1])
            inputs = _value(model, dequantize.input[0]).shape[1]
            dequantize.attribute[0].i = 1
            _replace(model, dequantize.input[1], np.full(inputs, 0.01, np.float32))
            _replace(model, dequantize.input[2], np.zeros(inputs, np.int8))
            return model
    raise AssertionError("there is a convolution")


def _integer_operator(model: Any) -> Any:
    node = _first(model, "Conv")
    model.graph.node.append(helper.make_node("ConvInteger", list(node.input[:2]), ["whole"], name="whole_numbers"))
    return model


def _activations_only(model: Any) -> Any:
    node = _first(model, "Conv")
    dequantize = next(n for n in model.graph.node if n.output[0] == node.input[1])
    weights = _value(model, dequantize.input[0]).astype(np.float32) / 100
    model.graph.initializer.append(numpy_helper.from_array(weights, "plain_weights"))
    node.input[1] = "plain_weights"
    return model


def _dynamic_quantization(model: Any) -> Any:
    names = ["code", "code_scale", "code_zero"]
    model.graph.node.append(helper.make_node("DynamicQuantizeLinear", [model.graph.input[0].name], names, name="odd"))
    return model


def _integer_convolution(model: Any) -> Any:
    """QLinearConv, as ONNX Runtime's operator format has it."""
    quantize, node = _first(model, "QuantizeLinear"), _first(model, "Conv")
    weights = next(n for n in model.graph.node if n.output[0] == node.input[1])
    numbers = [quantize.output[0], *quantize.input[1:3], *weights.input[:3], *quantize.input[1:3]]
    model.graph.node.append(helper.make_node("QLinearConv", numbers, ["whole"], name="whole_convolution"))
    return model


def _contrib(model: Any) -> Any:
    source = model.graph.input[0].name
    node = helper.make_node("QuickGelu", [source], ["odd"], name="odd_gelu", domain="com.microsoft")
    model.graph.node.append(node)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return model


def _split(model: Any) -> Any:
    """A pair between a convolution and its Relu."""
    makers = {name: node for node in model.graph.node for name in node.output}
    index, relu = next(
        (i, n) for i, n in enumerate(model.graph.node)
        if n.op_type in ("Relu", "LeakyRelu") and n.input[0] in makers and makers[n.input[0]].op_type == "Conv"
    )  # fmt: skip
    scale = _first(model, "QuantizeLinear").input[1:3]
    pair = (
        helper.make_node("QuantizeLinear", [relu.input[0], *scale], ["split_code"], name="split_q"),
        helper.make_node("DequantizeLinear", ["split_code", *scale], ["split"], name="split_dq"),
    )
    relu.input[0] = "split"
    for node in reversed(pair):
        model.graph.node.insert(index, node)
    return model


BROKEN = {
    "zero_point": Broken(_code(np.asarray(3, np.int8)), "zero-point", "error", True),
    "uint8": Broken(_code(np.asarray(128, np.uint8)), "zero-point", "error", True),
    "int16": Broken(_code(np.asarray(0, np.int16)), "code", "error", True, named=False),
    "int32_bias": Broken(_bias, "bias", "error", True),
    "scale_of_zero": Broken(_scale(0.0), "scale", "error", True),
    "negative_scale": Broken(_scale(-1.0), "scale", "error", True),
    "scale_nan": Broken(_scale(np.nan), "scale", "error", True),
    "scale_per_channel": Broken(_scale_per_channel, "scale", "warning", False),
    "integer_operator": Broken(_integer_operator, "integer-operator", "error", True),
    "integer_convolution": Broken(_integer_convolution, "integer-operator", "error", True),
    "dynamic_quantization": Broken(_dynamic_quantization, "integer-operator", "error", True),
    "contrib_operator": Broken(_contrib, "domain", "error", True),
    "symmetric_uint8": Broken(_code(np.asarray(0, np.uint8)), "code", "warning", False),
    "infinite_scale": Broken(_scale(np.inf), "scale", "warning", False),
    "old_opset": Broken(_old_opset, "opset", "warning", False),
    "weight_axis": Broken(_weight_axis, "weight-axis", "warning", False),
    "weights_only": Broken(_weights_only, "one-factor", "warning", False),
    "activations_only": Broken(_activations_only, "one-factor", "warning", False),
    "split_fusion": Broken(_split, "split-fusion", "warning", False),
}
