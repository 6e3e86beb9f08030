"""What TensorRT refuses or runs slowly in an explicitly quantised ONNX file, seen without TensorRT.

An `error` is refused by NVIDIA's parser; a `warning` builds, but not what it looks like: slower, in float, or with
other numbers. The tests hold both against the real parser.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from exporter.graph.operators import ONNX_WEIGHTED
from exporter.quantization.tensorrt.qdq import CHANNELS

SMALLEST_OPSET = 13  # the first with scales per channel
_ACTIVATIONS = ("Relu", "Clip", "LeakyRelu", "PRelu", "Sigmoid", "Tanh", "HardSigmoid", "HardSwish")
_PAIR = ("QuantizeLinear", "DequantizeLinear")
_REFUSED = ("ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul", "DynamicQuantizeLinear")


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that was noticed; `node` is the name TensorRT's parser would give, too."""

    severity: Literal["error", "warning", "note"]
    rule: str
    node: str
    message: str


@dataclass(frozen=True, slots=True)
class _Graph:
    nodes: tuple[Any, ...]
    makers: dict[str, Any]
    readers: dict[str, list[Any]]
    constants: dict[str, NDArray[Any]]
    opsets: dict[str, int]

    def pair(self, tensor: str) -> Any | None:
        """The DequantizeLinear that makes `tensor`."""
        node = self.makers.get(tensor)
        return node if node is not None and node.op_type == "DequantizeLinear" else None

    def is_stored(self, tensor: str) -> bool:
        """Whether `tensor` is a constant, be it behind a DequantizeLinear."""
        dequantize = self.pair(tensor)
        return tensor in self.constants or (dequantize is not None and dequantize.input[0] in self.constants)


Rule = Callable[[_Graph], Iterator[Remark]]


def check_for_tensorrt(model: Any) -> tuple[Remark, ...]:
    """Everything noticed in an onnx.ModelProto, errors first."""
    graph = _read(model)
    remarks = [remark for rule in RULES for remark in rule(graph)]
    return tuple(sorted(remarks, key=lambda remark: ("error", "warning", "note").index(remark.severity)))


def _read(model: Any) -> _Graph:
    from onnx import numpy_helper

    nodes = tuple(model.graph.node)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    readers: dict[str, list[Any]] = {}
    for node in nodes:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        for name in node.input:
            readers.setdefault(name, []).append(node)
    makers = {name: node for node in nodes for name in node.output}
    opsets = {"" if entry.domain == "ai.onnx" else entry.domain: entry.version for entry in model.opset_import}
    return _Graph(nodes, makers, readers, constants, opsets)


def _opset(graph: _Graph) -> Iterator[Remark]:
    found = graph.opsets.get("", 0)
    if found < SMALLEST_OPSET and any(node.op_type in _PAIR for node in graph.nodes):
        what = (
            f"opset {found} has no scales per channel, and ONNX Runtime refuses them; write {SMALLEST_OPSET} or newer"
        )
        yield Remark("warning", "opset", "", what)


def _domains(graph: _Graph) -> Iterator[Remark]:
    for node in graph.nodes:
        if node.domain not in ("", "ai.onnx"):
            yield _about("error", "domain", node, f"is of {node.domain}: TensorRT has no such plugin")


def _refused(graph: _Graph) -> Iterator[Remark]:
    for node in graph.nodes:
        if node.op_type in _REFUSED:
            yield _about(
                "error", "integer-operator", node, "is not parsed: write QuantizeLinear/DequantizeLinear pairs"
            )


def _zero_points(graph: _Graph) -> Iterator[Remark]:
    for node in graph.nodes:
        if node.op_type in _PAIR and len(node.input) > 2 and np.any(graph.constants.get(node.input[2], 0)):
            yield _about("error", "zero-point", node, "has a zero point that is not 0: TensorRT is symmetric only")


def _code_types(graph: _Graph) -> Iterator[Remark]:
    for node in graph.nodes:
        if node.op_type not in _PAIR:
            continue
        named = node.input[0] if node.op_type == "DequantizeLinear" and node.input[0] in graph.constants else None
        named = named or (node.input[2] if len(node.input) > 2 else None)
        code = graph.constants[named].dtype if named in graph.constants else np.dtype(np.uint8)  # ONNX's default
        if code == np.int32:
            yield _about("error", "bias", node, "dequantises int32, a bias as a rule: keep biases in float")
        elif code in (np.int16, np.uint16):
            yield _about("error", "code", node, f"has {code} codes, which are not parsed; the kernels are int8")
        elif code != np.int8:
            yield _about("warning", "code", node, f"has {code} codes; the kernels are int8")


def _scales(graph: _Graph) -> Iterator[Remark]:
    for node in graph.nodes:
        if node.op_type not in _PAIR:
            continue
        scale = graph.constants.get(node.input[1])
        stored = graph.is_stored(node.output[0]) or node.input[0] in graph.constants
        if scale is None:  # TensorRT-RTX 1.7 does not even refuse it: the process dies
            yield _about("error", "scale", node, "has a computed scale; int8 needs a stored one")
        elif not np.all(scale > 0):
            yield _about("error", "scale", node, "has a scale that is not above 0")
        elif not np.all(np.isfinite(scale)):
            yield _about("warning", "scale", node, "has an infinite scale: it builds, and gives no numbers")
        elif not stored and scale.size != 1:
            what = f"has {scale.size} scales for an activation: no int8 sum has those; one is needed"
            yield _about("warning", "scale", node, what)


def _weight_axes(graph: _Graph) -> Iterator[Remark]:
    for node in graph.nodes:
        dequantize = graph.pair(node.input[1]) if node.op_type in ONNX_WEIGHTED and len(node.input) > 1 else None
        if dequantize is None or dequantize.input[0] not in graph.constants:
            continue
        scales, weights = graph.constants.get(dequantize.input[1]), graph.constants[dequantize.input[0]]
        if scales is None or scales.size == 1:
            continue
        expected = ONNX_WEIGHTED[node.op_type].channel_axis % weights.ndim
        axis = int(_option(dequantize, "axis", 1)) % weights.ndim
        if node.op_type != "Gemm" and axis != expected:
            # A scale of each input channel does not come out of the sum over them.
            what = f"has weight scales along axis {axis}, not {expected}, its output channels': no int8 sum has those"
            yield _about("warning", "weight-axis", node, what)


def _both_factors(graph: _Graph) -> Iterator[Remark]:
    for node in graph.nodes:
        if node.op_type not in ONNX_WEIGHTED:
            continue
        paired = [graph.pair(name) is not None for name in node.input[:2]]
        if any(paired) and not all(paired):
            side = "weights" if not paired[1] else "activations"
            what = f"has quantised one factor only, not its {side}: int8 times float is computed in float"
            yield _about("warning", "one-factor", node, what)


def _split_fusion(graph: _Graph) -> Iterator[Remark]:
    for node in graph.nodes:
        if node.op_type not in ONNX_WEIGHTED or graph.pair(node.input[0]) is None:
            continue
        for quantize in graph.readers.get(node.output[0], ()):
            if quantize.op_type != "QuantizeLinear":
                continue
            behind = (
                r for dq in graph.readers.get(quantize.output[0], ()) for r in graph.readers.get(dq.output[0], ())
            )
            for reader in behind:
                if reader.op_type in _ACTIVATIONS:
                    yield _about(
                        "warning", "split-fusion", quantize, f"stands between {node.name} and {reader.name}: not fused"
                    )


def _odd_channels(graph: _Graph) -> Iterator[Remark]:
    """One line for the whole file; networks have these everywhere."""
    odd = []
    for node in graph.nodes:
        dequantize = graph.pair(node.input[1]) if node.op_type in ("Conv", "ConvTranspose") else None
        weights = graph.constants.get(dequantize.input[0]) if dequantize is not None else None
        if weights is not None and any(channels % CHANNELS for channels in weights.shape[:2]):
            odd.append(node.name)
    if odd:
        yield Remark(
            "note",
            "channels",
            odd[0],
            f"{len(odd)} INT8 convolutions, first {odd[0]}, have channels that are no multiple of {CHANNELS}: "
            "tensor cores fill them up with zeros",
        )


def _one_channel(graph: _Graph) -> Iterator[Remark]:
    """Measured with TensorRT-RTX 1.7: 1.0 (float32), 1.4 (float16), 1.7 (int8) of float32's memory for 1→64, 9×9."""
    for node in graph.nodes:
        if node.op_type == "Conv" and _option(node, "group", 1) == 1:
            dequantize = graph.pair(node.input[1])
            weights = graph.constants.get(dequantize.input[0] if dequantize is not None else node.input[1])
            if weights is not None and weights.shape[1] == 1 and weights.size > CHANNELS**2:
                what = "reads one channel: filled up, its weights take more memory than in float32, whatever the format"
                yield _about("note", "one-channel", node, what)


def _about(severity: Literal["error", "warning", "note"], rule: str, node: Any, what: str) -> Remark:
    name = node.name or node.output[0]
    return Remark(severity, rule, name, f"{node.op_type} {name!r} {what}")


def _option(node: Any, name: str, default: int) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), default)


RULES: tuple[Rule, ...] = (
    _opset,
    _domains,
    _refused,
    _zero_points,
    _code_types,
    _scales,
    _weight_axes,
    _both_factors,
    _split_fusion,
    _odd_channels,
    _one_channel,
)
