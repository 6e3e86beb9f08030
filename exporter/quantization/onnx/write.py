"""Writes the pairs of a placement and the numbers they carry, in the order of ONNX Runtime's quantizer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.graph.onnx_editor import OnnxGraph
from exporter.quantization.onnx.codes import StoredCode, asymmetric, bias_code, symmetric, wide_enough
from exporter.quantization.onnx.placement import Code, Placement
from exporter.quantization.params import LOWEST, Affine

Array = NDArray[Any]

# What ONNX Runtime's quantizer writes into its files, which these are to the byte.
PRODUCER, PRODUCER_VERSION = "onnx.quantize", "0.1.0"
INFERRED = {"key": "onnx.infer", "value": "onnxruntime.quant"}


def write_pairs(graph: OnnxGraph, placement: Placement, params: Mapping[str, Affine], unsigned: bool) -> Any:
    """The onnx.ModelProto of `graph` with QuantizeLinear and DequantizeLinear; `params`: of each activation."""
    writer = _Writer(graph, placement, params, unsigned)
    writer.write()
    nodes = _in_running_order([*graph.nodes, *writer.made], {*writer.stored, *graph.constants, *_inputs(graph)})
    graph.replace_nodes(nodes)
    model = graph.commit()
    model.graph.initializer.extend(writer.stored.values())
    model.producer_name, model.producer_version = PRODUCER, PRODUCER_VERSION
    model.metadata_props.add(**INFERRED)
    return model


def _inputs(graph: OnnxGraph) -> list[str]:
    return [value.name for value in graph.model.graph.input]


class _Writer:
    def __init__(self, graph: OnnxGraph, placement: Placement, params: Mapping[str, Affine], unsigned: bool) -> None:
        self.graph, self.placement, self.unsigned = graph, placement, unsigned
        self.made: list[Any] = []
        self.stored: dict[str, Any] = {}  # onnx.TensorProto
        self._codes = {name: self._of_activation(params[name]) for name in placement.tensors if name in params}
        self._names: dict[str, list[str]] = {}  # of the scale and the zero point of a tensor

    def write(self) -> None:
        tensors = self.placement.tensors
        self._weigh()
        for name, code in tensors.items():
            if not code.like:
                self._store_code(name)
                (self._pair if name not in self.graph.constants else self._weights)(name)
        for name in self._after_what_they_are_like({name: code for name, code in tensors.items() if code.like}):
            self._names[name] = self._names[tensors[name].like]
            self._codes[name] = self._codes[tensors[name].like]
            self._pair(name)
        for name in self.placement.biases:
            self._bias(name)

    def _after_what_they_are_like(self, left: dict[str, Code]) -> Iterable[str]:
        """Round by round, in order."""
        while left:
            ready = [name for name, code in left.items() if code.like in self._names]
            if not ready:
                raise ValueError(f"{next(iter(left))} shares the scale of a tensor that has none")
            for name, code in tuple(left.items()):
                if code.like in self._names:
                    del left[name]
                    yield name

    def _of_activation(self, params: Affine) -> StoredCode:
        zero = np.uint8(params.zero_point - LOWEST) if self.unsigned else np.int8(params.zero_point)
        return StoredCode(np.array(params.scale, np.float32), np.array(zero))

    def _weigh(self) -> None:
        """Codes of all constants; the biases that go with weights have a say in them."""
        for name, code in self.placement.tensors.items():
            stored = self.graph.constants.get(name)
            if stored is not None:
                symmetrical = code.is_weight or code.axis is not None
                self._codes[name] = symmetric(stored, code.axis) if symmetrical else asymmetric(stored, self.unsigned)
        for name, bias in self.placement.biases.items():
            data, weights = self._codes.get(bias.data), self._codes.get(bias.weights)
            if data is None or weights is None or weights.zero_points.dtype != np.int8 or weights.zero_points.any():
                continue
            self._codes[bias.weights] = wide_enough(weights, self.graph.constants[name], data.scales)

    def _store_code(self, name: str) -> None:
        from onnx import TensorProto, helper

        if name not in self._codes:
            raise ValueError(f"no range was planned for {name}")
        code = self._codes[name]
        integer = TensorProto.UINT8 if code.zero_points.dtype == np.uint8 else TensorProto.INT8
        number = helper.np_dtype_to_tensor_dtype(code.scales.dtype)
        zero, scale = (self._free_name(f"{name}_{word}") for word in ("zero_point", "scale"))
        for each, kind, values in ((zero, integer, code.zero_points), (scale, number, code.scales)):
            self.stored[each] = helper.make_tensor(each, kind, values.shape, values.ravel().tolist())
        self._names[name] = [scale, zero]

    def _pair(self, name: str) -> None:
        """Behind what makes the tensor: all nodes read what comes out of the pair."""
        source, result = name, f"{name}_DequantizeLinear_Output"
        maker = self.graph.producer(name)
        if maker is not None and name in self.graph.outputs:
            source, result = f"{name}_QuantizeLinear_Input", name
            self.graph.set_output(maker, list(maker.output).index(name), source)
        else:
            self._read_instead(name, result)
        code = f"{name}_QuantizeLinear_Output"
        self._add("QuantizeLinear", [source, *self._names[name]], code, f"{name}_QuantizeLinear")
        self._add("DequantizeLinear", [code, *self._names[name]], result, f"{name}_DequantizeLinear")

    def _weights(self, name: str) -> None:
        code, result = self._codes[name], f"{name}_DequantizeLinear_Output"
        self._read_instead(name, result)
        stored = self._store(f"{name}_quantized", code.of(self.graph.constants[name]))
        inputs = [stored, *self._names[name]]
        self._add("DequantizeLinear", inputs, result, f"{name}_DequantizeLinear", code.axis)

    def _bias(self, name: str) -> None:
        from onnx import TensorProto, helper

        bias = self.placement.biases[name]
        if bias.data not in self._names or bias.weights not in self._names:
            raise ValueError(f"the bias {name} has no scale: its picture or its weights stay in float")
        numbers = self.graph.constants.pop(name)
        picture, weights = self._codes[bias.data], self._codes[bias.weights]
        steps, made = bias_code(numbers, picture.scales, weights.scales, bias.factor)
        stored = self._store(f"{name}_quantized", steps.reshape(numbers.shape))
        scale, zero = self._store(f"{stored}_scale", made), f"{stored}_zero_point"
        if made.size > 1:
            self._store(zero, np.zeros(made.shape, np.int32))
        else:
            self.stored[zero] = helper.make_tensor(zero, TensorProto.INT32, [], [0])
        axis = 0 if made.size > 1 else None
        self._add("DequantizeLinear", [stored, scale, zero], name, f"{name}_DequantizeLinear", axis)

    def _store(self, name: str, values: Array) -> str:
        from onnx import numpy_helper

        self.stored[name] = numpy_helper.from_array(values, name)
        return name

    def _free_name(self, name: str) -> str:
        while name in self.graph.constants or self.graph.producer(name) is not None:
            name = f"{name}_"
        return name

    def _read_instead(self, name: str, other: str) -> None:
        for node in self.graph.consumers(name):
            self.graph.set_inputs(node, [other if each == name else each for each in node.input])

    def _add(self, kind: str, inputs: list[str], output: str, name: str, axis: int | None = None) -> None:
        from onnx import helper

        options = {} if axis is None else {"axis": axis}
        self.made.append(helper.make_node(kind, inputs, [output], name, **options))


def _in_running_order(nodes: list[Any], given: Iterable[str]) -> list[Any]:
    """Every node behind what makes its inputs, in the order in which they become known."""
    missing = [sum(1 for name in node.input if name) for node in nodes]
    readers: dict[str, list[int]] = {}
    for number, node in enumerate(nodes):
        for name in filter(None, node.input):
            readers.setdefault(name, []).append(number)
    ready = [number for number, count in enumerate(missing) if count == 0]

    def know(name: str) -> None:
        for number in readers.get(name, ()):
            missing[number] -= 1
            if missing[number] == 0:
                ready.append(number)

    for name in sorted(set(given)):
        know(name)
    for number in ready:  # grows meanwhile
        for name in nodes[number].output:
            know(name)
    if len(ready) < len(nodes):
        raise ValueError("the graph goes round in a circle")
    return [nodes[number] for number in ready]
