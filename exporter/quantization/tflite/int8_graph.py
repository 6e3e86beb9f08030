"""Turns a float .tflite into a static INT8 one: per-channel weights, per-tensor activations, int32 bias.

The numbers are those of Jacob et al., "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", CVPR 2018, and of TensorFlow Lite's 8-bit quantization specification. The graph is
rewritten here, and not by TensorFlow's converter, so that the ranges are ours, the picture's code is pinned, and what
has no int8 kernel is known.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from exporter.graph.declared import declare_float
from exporter.graph.operators import INT8_KERNELS, TFLITE_WEIGHTED, Linear
from exporter.graph.tflite_editor import Array, TfliteGraph
from exporter.passes.tflite.cleanup import fuse_activations, name_ends
from exporter.quantization.params import PIXELS, Affine, Floats, Range, quantize_weights
from exporter.quantization.tflite.clamps import clamp_limits, drop_saturating_clamps
from exporter.quantization.tflite.float_operators import enclosed, has_int8_kernel, is_asked_for
from exporter.quantization.tflite.scales import CodeUse, SharedScales, pictures, residual_tensors

FINEST_SHARE = 128.0  # of a step of what is summed up: XNNPACK takes less than 256
PRODUCTS = ("MUL", "PRELU", "SQUARED_DIFFERENCE")
Estimate = Callable[[set[int], set[int]], Mapping[int, Range]]  # (tensors, those never clipped) -> ranges


@dataclass(frozen=True, slots=True)
class Int8File:
    content: bytes
    float_operators: tuple[str, ...]  # "KIND output-name", those that stay in float
    requantizations: int  # QUANTIZE operators between int8 tensors of different codes
    codes: tuple[CodeUse, ...] = ()
    sources: tuple[int | None, ...] = ()  # of each operator the number in the float file; None: it was put in


def write_int8(
    content: bytes,
    estimate: Estimate,
    *,
    keep_float: tuple[str, ...] = (),
    float_layers: Collection[str] = (),
    float_ends: bool = False,
    enclose: bool = True,
) -> Int8File:
    """The INT8 file. `keep_float` are patterns (fnmatch) of operator kinds or output names that stay in float,
    `float_layers` output names as they are.

    With `float_ends` the file takes and gives float32 pictures; otherwise int8 ones with scale 1/255, zero point -128.
    `enclose` leaves in float, too, what has no weights and lies between float operators only.
    """
    graph = TfliteGraph(content)
    numbers = {id(operator): number for number, operator in enumerate(graph.operators)}
    fuse_activations(graph)
    asked = [operator for operator in graph.operators if is_asked_for(graph, operator, keep_float, float_layers)]
    kept = asked + [op for op in graph.operators if op not in asked and not has_int8_kernel(graph, op)]
    kept += enclosed(graph, kept) if enclose else []
    drop_saturating_clamps(graph, {tensor for operator in kept for tensor in (*operator.inputs, *operator.outputs)})
    writer = _Writer(graph, [operator for operator in graph.operators if operator not in kept])
    islands = tuple(
        f"{graph.kind(operator)} {graph.name(operator.outputs[0])}" for operator in graph.operators if operator in kept
    )
    writer.bridge(float_ends)
    writer.choose_codes(estimate)
    writer.quantize()
    name_ends(graph)
    declare_float(graph, [graph.name(operator.outputs[0]) for operator in graph.operators if operator in asked])
    between = sum(
        graph.kind(operator) == "QUANTIZE" and graph.dtype(operator.inputs[0]) == "INT8" for operator in graph.operators
    )
    sources = tuple(numbers.get(id(operator)) for operator in graph.operators)
    objects = [(use, graph.tensors[use.tensor]) for use in writer.uses()]
    made = graph.to_bytes()
    places = {id(tensor): number for number, tensor in enumerate(graph.tensors)}
    uses = tuple(replace(use, tensor=places[id(tensor)]) for use, tensor in objects if id(tensor) in places)
    return Int8File(made, islands, between, uses, sources)


def _range_code(constant: Array) -> Affine:
    return Affine.of_range(Range(float(constant.min()), float(constant.max())))


class _Writer:
    """First every tensor that must exist in both forms gets two, then codes are chosen, then numbers are written."""

    def __init__(self, graph: TfliteGraph, integer: list[Any]) -> None:
        self.graph = graph
        self.integer = integer
        self.exact = residual_tensors(graph)  # asked now: a float island would hide what lies before it
        self.scales = SharedScales()
        self.int8: list[int] = []
        self.measured_as: dict[int, int] = {}  # a tensor made here -> the float tensor with its values
        self.constants: dict[tuple[int, Affine], int] = {}
        self.bound: set[int] = set()  # tensors that share their code with a constant

    def bridge(self, float_ends: bool) -> None:
        """Put DEQUANTIZE and QUANTIZE where integer and float operators, or float ends, meet."""
        graph = self.graph
        produced = [(tensor, operator) for operator in graph.operators for tensor in pictures(graph, operator.outputs)]
        for tensor, maker in [*((tensor, None) for tensor in graph.inputs), *produced]:
            integer_home = maker in self.integer if maker is not None else not float_ends
            users = [user for user in graph.consumers(tensor) if (user in self.integer) != integer_home]
            crosses_end = tensor in graph.outputs and integer_home == float_ends
            if integer_home:
                self.int8.append(tensor)
            if users or crosses_end:
                self._cross(tensor, maker, users, crosses_end, to_float=integer_home)

    def choose_codes(self, estimate: Estimate) -> None:
        graph, scales = self.graph, self.scales
        for tensor in (*graph.inputs, *graph.outputs):
            scales.pin(tensor, PIXELS)
        for tensor, origin in self.measured_as.items():
            if origin in (*graph.inputs, *graph.outputs):
                scales.pin(tensor, PIXELS)
        for operator in list(self.integer):
            output = INT8_KERNELS[graph.kind(operator)].output
            code = None if output is None else Affine(*output)
            if code is not None and not scales.pin(operator.outputs[0], code):
                scales.pin(self._recode_output(operator), code)
        for operator in list(self.integer):
            if INT8_KERNELS[graph.kind(operator)].rule == "same":
                self._share(operator)
        origins = {tensor: self.measured_as.get(tensor, tensor) for tensor in self.int8}
        known = estimate(set(origins.values()), self.exact & set(origins.values()))
        ranges = {tensor: known[origin] for tensor, origin in origins.items()}
        for operator in self.integer:
            self._include_constants(operator, ranges)
        self.codes = scales.codes(ranges)
        for _ in range(2):  # a code that grows may be shared with what comes before
            for operator in self.integer:
                self._grow_code(operator)

    def uses(self) -> list[CodeUse]:
        """Who has which code; tensors are numbered as in `graph`, before unused ones are dropped."""
        root, bound = self.scales.root, {self.scales.root(tensor) for tensor in (self.bound | self.exact)}
        return [
            CodeUse(
                tensor,
                self.measured_as.get(tensor, tensor),
                root(tensor),
                pinned := self.scales.is_pinned(tensor),
                not pinned and root(tensor) not in bound,
            )
            for tensor in self.int8
        ]

    def quantize(self) -> None:
        graph = self.graph
        for tensor in self.int8:
            code = self.codes[tensor]
            self._encode(tensor, "INT8", [code.scale], [code.zero_point])
        for operator in self.integer:
            kind = graph.kind(operator)
            graph.set_kind(operator, kind, max(INT8_KERNELS[kind].version, graph.version(operator)))
            if kind in TFLITE_WEIGHTED:
                self._quantize_weights(operator)
            else:
                self._quantize_constants(operator)

    def _cross(self, tensor: int, maker: Any, users: list[Any], crosses_end: bool, *, to_float: bool) -> None:
        graph = self.graph
        kind, version, ending = ("DEQUANTIZE", 2, "float") if to_float else ("QUANTIZE", 1, "int8")
        made = graph.add_tensor(f"{graph.name(tensor)}_{ending}", graph.shape(tensor), "FLOAT32")
        if not to_float:
            self.int8.append(made)
            self.measured_as[made] = tensor
        bridge = graph.new_operator(kind, version, [tensor], [made], f"{kind.title()}Options")
        graph.operators.insert(0 if maker is None else graph.operators.index(maker) + 1, bridge)
        for user in users:
            user.inputs = [made if index == tensor else index for index in user.inputs]
        if crosses_end:
            graph.outputs = [made if index == tensor else index for index in graph.outputs]

    def _share(self, operator: Any) -> None:
        """Give all pictures of one operator one code; a QUANTIZE goes before it where one is pinned to another."""
        graph = self.graph
        first = operator.outputs[0]
        for other in operator.outputs[1:]:
            self.scales.join(first, other)
        for tensor in pictures(graph, operator.inputs):
            if not self.scales.join(first, tensor):
                own = self._new_code(tensor)
                operator.inputs = [own if index == tensor else index for index in operator.inputs]
                graph.operators.insert(graph.operators.index(operator), self._requantize(tensor, own))
                self.measured_as[own] = self.measured_as.get(first, first)
                self.scales.join(first, own)

    def _recode_output(self, operator: Any) -> int:
        """The kernel dictates another code than the picture has: a QUANTIZE follows. Returns the kernel's output."""
        graph, old = self.graph, operator.outputs[0]
        own = self._new_code(old)
        operator.outputs = [own]
        graph.operators.insert(graph.operators.index(operator) + 1, self._requantize(own, old))
        return own

    def _new_code(self, tensor: int) -> int:
        graph = self.graph
        own = graph.add_tensor(f"{graph.name(tensor)}_recoded", graph.shape(tensor), "FLOAT32")
        self.int8.append(own)
        self.measured_as[own] = self.measured_as.get(tensor, tensor)
        return own

    def _requantize(self, source: int, target: int) -> Any:
        return self.graph.new_operator("QUANTIZE", 2, [source], [target], "QuantizeOptions")

    def _include_constants(self, operator: Any, ranges: dict[int, Range]) -> None:
        """A constant that shares its code with pictures must fit into their range."""
        graph, first = self.graph, operator.outputs[0]
        if INT8_KERNELS[graph.kind(operator)].rule != "same" or clamp_limits(graph, operator) is not None:
            return
        for index in operator.inputs:
            value = graph.constant(index)
            if value is not None and value.dtype == np.float32:
                ranges[first] = ranges[first].union(Range(float(value.min()), float(value.max())))
                self.bound.add(first)

    def _grow_code(self, operator: Any) -> None:
        """Give the result no finer steps than its kernel can make; one that is silent on all images would have them.

        LiteRT refuses such a file, or ends the process. Raises ValueError where the code is dictated.
        """
        result = operator.outputs[0]
        if INT8_KERNELS[self.graph.kind(operator)].rule not in ("weights", "free"):
            return
        least = self._coarsest_step(operator) / FINEST_SHARE
        if self.codes[result].scale >= least:
            return
        if self.scales.is_pinned(result):
            raise ValueError(
                f"{self.graph.kind(operator)} {self.graph.name(result)} makes steps of {self.codes[result].scale:.2g} "
                f"out of steps of {least * FINEST_SHARE:.2g}: too large for INT8; keep_float leaves it in float"
            )
        for tensor in [other for other in self.codes if self.scales.root(other) == self.scales.root(result)]:
            self.codes[tensor] = replace(self.codes[tensor], scale=float(np.float32(least)))

    def _coarsest_step(self, operator: Any) -> float:
        """Of what the kernel sums up, before it is rounded to the result's code."""
        graph = self.graph
        if linear := TFLITE_WEIGHTED.get(graph.kind(operator)):
            weights, bias = self._weights_of(operator, linear)
            scale = self.codes[operator.inputs[linear.data]].scale
            return scale * float(quantize_weights(weights, self._scale_axis(operator), bias, scale).scales.max())
        steps = [self.codes[index].scale for index in operator.inputs if index in self.codes]
        constants = [graph.constant(index) for index in operator.inputs if index >= 0]
        steps += [_range_code(value).scale for value in constants if value is not None and value.dtype == np.float32]
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
        return TFLITE_WEIGHTED[kind].channel_axis if INT8_KERNELS[kind].per_channel else None

    def _quantize_weights(self, operator: Any) -> None:
        graph, linear = self.graph, TFLITE_WEIGHTED[self.graph.kind(operator)]
        place = operator.inputs[linear.weights]
        weights, bias = self._weights_of(operator, linear)
        operator.inputs += [-1] * (linear.bias + 1 - len(operator.inputs))
        scale = self.codes[operator.inputs[linear.data]].scale
        code = quantize_weights(weights, self._scale_axis(operator), bias, scale)
        operator.inputs[linear.weights] = self._add(graph.name(place), code.values, code.scales, code.axis)
        stored, scales = code.bias(bias, scale)
        operator.inputs[linear.bias] = self._add(f"{graph.name(place)}_bias", stored, scales, 0)

    def _quantize_constants(self, operator: Any) -> None:
        graph = self.graph
        shared = INT8_KERNELS[graph.kind(operator)].rule == "same"
        for position, index in enumerate(operator.inputs):
            value = graph.constant(index)
            if value is None or value.dtype != np.float32:
                continue
            own = _range_code(value)
            code = self.codes[operator.outputs[0]] if shared else own
            if (index, code) not in self.constants:
                scales = np.array([code.scale], np.float32)
                made = self._add(graph.name(index), code.quantize(value), scales, 0, code.zero_point)
                self.constants[index, code] = made
            operator.inputs[position] = self.constants[index, code]

    def _add(self, name: str, value: Array, scales: Floats, axis: int, zero_point: int = 0) -> int:
        index = self.graph.add_constant(name, value)
        self._encode(index, "INT32" if value.dtype == np.int32 else "INT8", scales, [zero_point] * len(scales), axis)
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
