"""Writes the numbers of a plan: per-channel int8 weights, per-tensor int8 activations, int32 biases; or int16, int64.

They are those of Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", CVPR 2018, and of TensorFlow Lite's 8-bit quantization specification.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from exporter.graph.declared import declare_float
from exporter.graph.operators import TFLITE_WEIGHTED, Linear
from exporter.graph.tflite_editor import Array, TfliteGraph
from exporter.passes.tflite.cleanup import name_ends
from exporter.quantization.params import Affine, Floats, QuantizedWeights, Range, quantize_weights
from exporter.quantization.remarks import Rule
from exporter.quantization.tflite.codes import Code
from exporter.quantization.tflite.conversions import Int8Tensor
from exporter.quantization.tflite.plan import Int8Plan, renumbered

FINEST_SHARE = 128.0  # of a step of what is summed up: XNNPACK takes less than 256
SUMS = ("ADD", "SUB")
LARGEST_CODE = 2**31 - 2**20  # of an int32, and of float32 in which the step is kept
PRODUCTS = ("BATCH_MATMUL", "MUL", "PRELU", "SQUARED_DIFFERENCE")


@dataclass(frozen=True, slots=True)
class Int8File:
    """Tensors are numbered as in `content`; `float_operators`, `float_rules` and `sources` are the plan's."""

    content: bytes
    requantizations: int  # QUANTIZE operators between integer tensors of different scales
    tensors: tuple[Int8Tensor, ...]
    float_operators: tuple[str, ...]
    float_rules: tuple[Rule, ...]
    sources: tuple[int | None, ...]


def write_int8(plan: Int8Plan, ranges: Mapping[int, Range]) -> Int8File:
    """The integer file of `plan`; `ranges` are those of at least the tensors that it wants.

    Raises ValueError for numbers that int8 kernels cannot make.
    """
    graph = TfliteGraph(plan.content)
    writer = _Writer(graph, plan, ranges)
    writer.grow()
    writer.quantize()
    name_ends(graph)
    asked = [operator for number, operator in enumerate(graph.operators) if number in plan.asked_float]
    declare_float(graph, [graph.name(operator.outputs[0]) for operator in asked])
    between = sum(
        graph.kind(operator) == "QUANTIZE" and graph.dtype(operator.inputs[0]) == plan.code.dtype
        for operator in graph.operators
    )
    objects = [graph.tensors[each.tensor] for each in plan.tensors]
    made = graph.to_bytes()
    tensors = renumbered(graph, plan.tensors, objects)
    return Int8File(made, between, tensors, plan.float_operators, plan.float_rules, plan.sources)


def _group_params(plan: Int8Plan, ranges: Mapping[int, Range]) -> dict[int, Affine]:
    """Of every group: what is dictated, or what holds the union of its tensors' ranges and its constants."""
    unions = dict[int, Range]()
    for each in plan.tensors:
        values = ranges[each.origin]
        unions[each.group] = values.union(unions.get(each.group, plan.constants.get(each.group, values)))
    pinned = {each.group: each.pinned for each in plan.tensors}
    return {
        group: pinned[group] or plan.code.of_range(values, symmetric=group in plan.symmetric)
        for group, values in unions.items()
    }


def _own_params(code: Code, constant: Array, *, symmetric: bool = False) -> Affine:
    return code.of_range(Range(float(constant.min()), float(constant.max())), symmetric=symmetric)


class _Writer:
    def __init__(self, graph: TfliteGraph, plan: Int8Plan, ranges: Mapping[int, Range]) -> None:
        self.graph, self._code = graph, plan.code
        self._integer = [operator for number, operator in enumerate(graph.operators) if number in plan.integer]
        self._tensors = {each.tensor: each for each in plan.tensors}
        self._groups = _group_params(plan, ranges)
        self._constants: dict[tuple[int, Affine], int] = {}

    def params(self, tensor: int) -> Affine:
        return self._groups[self._tensors[tensor].group]

    def grow(self) -> None:
        for _ in range(2):  # a scale that grows may be shared with what comes before
            for operator in self._integer:
                self._grow(operator)

    def quantize(self) -> None:
        graph = self.graph
        for tensor in self._tensors:
            params = self.params(tensor)
            self._encode(tensor, self._code.dtype, [params.scale], [params.zero_point])
        for operator in self._integer:
            kind = graph.kind(operator)
            graph.set_kind(operator, kind, max(self._code.kernels[kind].version, graph.version(operator)))
            if self._code.symmetric and kind in SUMS:
                operator.builtinOptions.potScaleInt16 = False  # else kernels ask for scales that are powers of two
            if kind in TFLITE_WEIGHTED:
                self._quantize_weights(operator)
            else:
                self._quantize_constants(operator)

    def _grow(self, operator: Any) -> None:
        """Give the result no finer steps than its kernel can make; one that is silent on all images would have them.

        LiteRT refuses such a file, or ends the process. Raises ValueError where the scale is dictated.
        """
        result = operator.outputs[0]
        if self._code.kernels[self.graph.kind(operator)].rule not in ("weights", "free"):
            return
        least, now = (
            max(self._coarsest_step(operator) / FINEST_SHARE, self._clamped_step(operator)),
            self.params(result),
        )
        if now.scale >= least:
            return
        if self._tensors[result].pinned is not None:
            raise ValueError(
                f"{self.graph.kind(operator)} {self.graph.name(result)} makes steps of {now.scale:.2g} "
                f"out of steps of {least * FINEST_SHARE:.2g}: too large for INT8; keep_float leaves it in float"
            )
        self._groups[self._tensors[result].group] = replace(now, scale=float(np.float32(least)))

    def _clamped_step(self, operator: Any) -> float:
        """The finest in which the end of its clamp is still an int32, as kernels ask; 0 without one."""
        kind, kinds = self.graph.kind(operator), self.graph.schema.ActivationFunctionType
        fused = getattr(operator.builtinOptions, "fusedActivationFunction", kinds.NONE)
        if kind == "RELU6" or fused == kinds.RELU6:
            return 6 / LARGEST_CODE
        return 1 / LARGEST_CODE if fused == kinds.RELU_N1_TO_1 else 0.0

    def _coarsest_step(self, operator: Any) -> float:
        """Of what the kernel sums up, before it is rounded to the result's steps."""
        graph = self.graph
        if linear := TFLITE_WEIGHTED.get(graph.kind(operator)):
            weights, bias = self._weights_of(operator, linear)
            scale = self.params(operator.inputs[linear.data]).scale
            return scale * float(self._rounded(operator, weights, bias, scale).scales.max())
        steps = [self.params(index).scale for index in operator.inputs if index in self._tensors]
        constants = [graph.constant(index) for index in operator.inputs if index >= 0]
        floats = [value for value in constants if value is not None and value.dtype == np.float32]
        steps += [_own_params(self._code, value).scale for value in floats]
        return float(np.prod(steps)) if graph.kind(operator) in PRODUCTS else max(steps, default=0.0)

    def _weights_of(self, operator: Any, linear: Linear) -> tuple[Floats, Floats]:
        weights = self.graph.constant(operator.inputs[linear.weights])
        assert weights is not None
        there = len(operator.inputs) > linear.bias
        bias = self.graph.constant(operator.inputs[linear.bias]) if there else None
        return weights, np.zeros(weights.shape[linear.channel_axis], np.float32) if bias is None else bias

    def _scale_axis(self, operator: Any) -> int | None:
        """The axis of the weights along which scales differ; None: one scale for all."""
        kind = self.graph.kind(operator)
        return TFLITE_WEIGHTED[kind].channel_axis if self._code.kernels[kind].per_channel else None

    def _quantize_weights(self, operator: Any) -> None:
        graph, linear = self.graph, TFLITE_WEIGHTED[self.graph.kind(operator)]
        name = graph.name(operator.inputs[linear.weights])
        weights, bias = self._weights_of(operator, linear)
        operator.inputs += [-1] * (linear.bias + 1 - len(operator.inputs))
        scale = self.params(operator.inputs[linear.data]).scale
        made = self._rounded(operator, weights, bias, scale)
        operator.inputs[linear.weights] = self._add(name, made.values, made.scales, made.axis)
        stored, scales = made.bias(bias, scale, self._code.bias)
        operator.inputs[linear.bias] = self._add(f"{name}_bias", stored, scales, 0)

    def _rounded(self, operator: Any, weights: Floats, bias: Floats, scale: float) -> QuantizedWeights:
        overflows = bias if self._code.bias is np.int32 else None  # int64 holds any
        return quantize_weights(weights, self._scale_axis(operator), overflows, scale)

    def _quantize_constants(self, operator: Any) -> None:
        graph = self.graph
        kernel = self._code.kernels[graph.kind(operator)]
        for position, index in enumerate(operator.inputs):
            value = graph.constant(index)
            if value is None or value.dtype != np.float32:
                continue
            if kernel.rule == "same":
                params = self.params(operator.outputs[0])
            else:
                params = _own_params(self._code, value, symmetric=position == kernel.symmetric)
            if (index, params) not in self._constants:
                scales = np.array([params.scale], np.float32)
                made = self._add(graph.name(index), params.quantize(value), scales, 0, params.zero_point)
                self._constants[index, params] = made
            operator.inputs[position] = self._constants[index, params]

    def _add(self, name: str, value: Array, scales: Floats, axis: int, zero_point: int = 0) -> int:
        index = self.graph.add_constant(name, value)
        self._encode(index, self.graph.dtype(index), scales, [zero_point] * len(scales), axis)
        return index

    def _encode(
        self, tensor: int, dtype: str, scales: Sequence[float] | Floats, zeros: list[int], axis: int = 0
    ) -> None:
        schema = self.graph.schema
        quantization = schema.QuantizationParametersT()
        quantization.scale = np.asarray(scales, np.float32)
        quantization.zeroPoint = np.asarray(zeros, np.int64)
        quantization.quantizedDimension = axis
        self.graph.tensors[tensor].type = getattr(schema.TensorType, dtype)
        self.graph.tensors[tensor].quantization = quantization
