"""Where QuantizeLinear/DequantizeLinear pairs stand in a Q/DQ file: as ONNX Runtime's own quantizer places them.

Its kernels look for these forms. Its quantizer walks through the whole graph for each tensor, so that a network of
some hundred layers takes it minutes; what it does at each operator is little. A test holds both against each other,
all but products of two activations and stored matrices in a batch of one, which are better served here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from exporter.graph.onnx_editor import OnnxGraph, attribute


@dataclass(frozen=True, slots=True)
class Code:
    """How a tensor becomes INT8. `axis`: of a weight that has a scale for each slice along it. `like`: the tensor whose
    scale it has, too."""

    is_weight: bool = False
    axis: int | None = None
    like: str = ""


@dataclass(frozen=True, slots=True)
class Bias:
    """What goes into the scale of a bias: that of the picture times that of the weights times `factor`."""

    data: str
    weights: str
    factor: float = 1.0


@dataclass
class Placement:
    """What becomes INT8, in the order of the file. The graph has lost the clamps that a scale does the work of."""

    tensors: dict[str, Code] = field(default_factory=dict)
    biases: dict[str, Bias] = field(default_factory=dict)


def place(graph: OnnxGraph, kinds: Collection[str], in_float: Collection[str], numbers: Collection[str]) -> Placement:
    """Decides node by node; those named `in_float` are left alone. `numbers`: activations that are of floats."""
    work = _Placing(graph, numbers, frozenset(in_float))
    for node in graph.nodes:
        if node.op_type in kinds and node.name not in in_float:
            _BY_KIND.get(node.op_type, _all_around)(work, node)
    graph.remove(work.swallowed)
    return work.placement


class _Placing:
    def __init__(self, graph: OnnxGraph, numbers: Collection[str], in_float: frozenset[str]) -> None:
        self.graph, self.numbers, self.placement = graph, numbers, Placement()
        self.in_float = in_float
        self.swallowed: list[Any] = []

    def quantize(self, tensor: str, code: Code | None = None) -> None:
        """A tensor of numbers; as it has been settled before unless `code` says more."""
        tensors = self.placement.tensors
        if tensor in self.numbers or self.is_weight(tensor):
            tensors[tensor] = tensors.get(tensor, Code()) if code is None else code

    def same(self, output: str, source: str) -> None:
        if output in self.numbers:
            self.placement.tensors[output] = Code(like=source)

    def weight(self, tensor: str, axis: int) -> None:
        stored = self.graph.constants.get(tensor)
        if stored is not None and -stored.ndim <= axis < stored.ndim:
            self.quantize(tensor, Code(is_weight=True, axis=axis % stored.ndim))
        elif tensor not in self.placement.tensors:
            self.quantize(tensor, Code(is_weight=True))

    def bias(self, node: Any, bias: Bias) -> None:
        """One that two nodes read is stored twice: its scale is that of each node's other inputs."""
        name = node.input[2]
        if not self.is_weight(name):
            return
        if name in self.placement.biases:
            shared, name = name, self._free_name(name)
            self.graph.constants[name] = self.graph.constants[shared]
            self.graph.set_input(node, 2, name)
        self.placement.biases[name] = bias

    def is_weight(self, tensor: str) -> bool:
        stored = self.graph.constants.get(tensor)
        return stored is not None and stored.dtype in (np.float32, np.float16)

    def is_quantized(self, tensor: str) -> bool:
        return tensor in self.placement.tensors or tensor in self.placement.biases

    def _free_name(self, name: str) -> str:
        endings = (other[len(name) :] for other in self.graph.constants if other.startswith(name))
        return f"{name}{max((int(ending) for ending in endings if ending.isdecimal()), default=-1) + 1}"


def _all_around(work: _Placing, node: Any) -> None:
    for tensor in (*node.input, *node.output):
        work.quantize(tensor)


def _convolution(work: _Placing, node: Any) -> None:
    work.quantize(node.input[0])
    work.quantize(node.output[0])
    work.weight(node.input[1], 0 if node.op_type == "Conv" else 1)
    if len(node.input) == 3:
        work.bias(node, Bias(node.input[0], node.input[1]))


def _gemm(work: _Placing, node: Any) -> None:
    work.quantize(node.input[0])
    work.quantize(node.output[0])
    work.weight(node.input[1], 0 if attribute(node, "transB", 0) else 1)
    if len(node.input) == 3 and node.input[2] in work.graph.constants:
        work.bias(node, Bias(node.input[0], node.input[1], attribute(node, "beta", 1.0)))
        for found in node.attribute:
            if found.name == "beta":
                found.f = 1.0


def _product(work: _Placing, node: Any) -> None:
    """Of two activations for float nodes, such as a softmax: what comes out of the integers is not rounded again."""
    _flatten_weights(work.graph, node)
    users = work.graph.consumers(node.output[0])
    of_two = not any(name in work.graph.constants for name in node.input)
    unrounded = of_two and users and all(user.name in work.in_float for user in users)
    for tensor in (*node.input, *(() if unrounded else node.output)):
        if tensor in work.graph.constants:
            work.weight(tensor, 1)
        else:
            work.quantize(tensor)


def _flatten_weights(graph: OnnxGraph, node: Any) -> None:
    """One stored matrix in a batch of one is a matrix: kernels know the channels of nothing else."""
    stored, taken = graph.constants.get(node.input[1]), graph.shape(node.input[0])
    if stored is None or taken is None or not 2 < stored.ndim <= len(taken) or stored[..., 0, 0].size > 1:
        return
    flat = graph.add_constant(f"{node.input[1]}_matrix", stored.reshape(stored.shape[-2:]))
    graph.set_input(node, 1, flat)


def _clamp(work: _Placing, node: Any) -> None:
    """The scale of what comes out ends where the clamp does: it goes when nobody else reads what goes in."""
    source, result = node.input[0], node.output[0]
    if not work.is_quantized(source):
        return
    maker = work.graph.producer(source)
    alone = len(work.graph.consumers(source)) == 1 and source not in work.graph.outputs
    if result in work.numbers and maker is not None and alone:
        work.graph.set_output(node, 0, f"{result}_clamped")  # until it is removed
        work.graph.set_output(maker, list(maker.output).index(source), result)
        work.placement.tensors.pop(source, None)
        work.swallowed.append(node)
    else:
        work.quantize(source)
    work.quantize(result)


def _as_its_input(work: _Placing, node: Any) -> None:
    if work.is_quantized(node.input[0]):
        work.same(node.output[0], node.input[0])


def _parts(work: _Placing, node: Any) -> None:
    if not work.is_quantized(node.input[0]):
        work.quantize(node.input[0])
    for tensor in node.output:
        work.same(tensor, node.input[0])


def _gathered(work: _Placing, node: Any) -> None:
    if work.is_weight(node.input[0]):
        work.quantize(node.input[0])
    _as_its_input(work, node)


def _padded(work: _Placing, node: Any) -> None:
    """With numbers that the picture holds, or with zero, which every scale does."""
    for tensor in filter(None, node.input):
        work.quantize(tensor)
    border = work.graph.constants.get(node.input[2]) if len(node.input) > 2 and node.input[2] else np.zeros(1)
    with_zero = attribute(node, "mode", "constant") == "constant" and border is not None and not border.any()
    if with_zero or attribute(node, "mode", "constant") in ("reflect", "edge", "wrap"):
        work.same(node.output[0], node.input[0])
    else:
        work.quantize(node.output[0])


_BY_KIND: dict[str, Callable[[_Placing, Any], None]] = {
    **dict.fromkeys(("Conv", "ConvTranspose"), _convolution),
    "Gemm": _gemm,
    "MatMul": _product,
    **dict.fromkeys(("Relu", "Clip"), _clamp),
    **dict.fromkeys(
        ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Resize", "MaxPool", "AveragePool", "Slice"), _as_its_input
    ),
    "Split": _parts,
    "Gather": _gathered,
    "Pad": _padded,
}
