"""Reads an .onnx file's operators, with shapes inferred and constants told from activations."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from exporter.artifact import Format
from exporter.errors import CheckpointError, ExportError
from exporter.failures import in_one_line, pass_on
from exporter.graph.graph import DYNAMIC, Graph, Node, Tensor, is_sized
from exporter.graph.onnx_file import load_onnx
from exporter.graph.open_sizes import at_known_size
from exporter.graph.operators import ONNX, UNKNOWN_ONNX

# Reading these from stored values gives a stored value: Q/DQ weights reach their Conv through one.
_KEEPS_CONSTANT = {"DequantizeLinear", "Identity", "Constant"}


def read_onnx(path: Path) -> Graph:
    """The operators of the main graph. Raises CheckpointError for a missing or damaged file."""
    import onnx

    try:
        model = onnx.shape_inference.infer_shapes(at_known_size(load_onnx(path)), data_prop=True)
        graph = _Reader(model.graph, onnx).graph()
    except ExportError:
        raise
    except Exception as error:  # of a file that anybody may have written: whatever walking through it ends in
        pass_on(error, path)
        raise CheckpointError(f"{path} is not a readable ONNX file: {in_one_line(error)[:200]}") from error
    if not graph.nodes:
        raise CheckpointError(f"{path} is not a usable ONNX file: its graph is empty")
    return graph


class _Reader:
    """Looks tensors up by name while the nodes are walked in order."""

    def __init__(self, graph: Any, onnx: Any) -> None:
        self._graph, self._onnx = graph, onnx
        self._stored = {t.name: t for t in graph.initializer}
        self._known = {t.name: self._value(t) for t in (*graph.value_info, *graph.input, *graph.output)} | {
            t.name: self._initializer(t) for t in graph.initializer
        }

    def graph(self) -> Graph:
        nodes = tuple(self._node(node) for node in self._graph.node)
        return Graph(
            format=Format.ONNX,
            inputs=self._tensors(t.name for t in self._graph.input if t.name not in self._stored),
            outputs=self._tensors(t.name for t in self._graph.output),
            nodes=nodes,
            constants=tuple(t for t in self._known.values() if t.constant),
        )

    def _node(self, node: Any) -> Node:
        inputs = self._tensors(name for name in node.input if name)
        if node.op_type in _KEEPS_CONSTANT and all(tensor.constant for tensor in inputs):
            self._mark_constant(node, inputs)
        outputs = self._tensors(name for name in node.output if name)
        return Node(
            kind=node.op_type,
            name=node.name or (node.output[0] if node.output else ""),
            inputs=inputs,
            outputs=outputs,
            options={a.name: self._onnx.helper.get_attribute_value(a) for a in node.attribute},
            macs=_macs(node.op_type, inputs, outputs),
        )

    def _mark_constant(self, node: Any, inputs: tuple[Tensor, ...]) -> None:
        for name in node.output:
            known = self._tensor(name)
            scales = self._values(node.input[1]) if node.op_type == "DequantizeLinear" else ()
            shape = inputs[0].shape if inputs and not known.shape else known.shape
            self._known[name] = Tensor(name, shape, known.dtype, constant=True, scales=scales)

    def _values(self, name: str) -> tuple[float, ...]:
        """Numbers of a stored tensor, flat; none when it is computed."""
        if name not in self._stored:
            return ()
        return tuple(float(v) for v in self._onnx.numpy_helper.to_array(self._stored[name]).reshape(-1))

    def _tensors(self, names: Iterable[str]) -> tuple[Tensor, ...]:
        return tuple(self._tensor(name) for name in names)

    def _tensor(self, name: str) -> Tensor:
        return self._known.get(name, Tensor(name, (), "unknown"))

    def _initializer(self, tensor: Any) -> Tensor:
        return Tensor(tensor.name, tuple(tensor.dims), self._dtype(tensor.data_type), constant=True)

    def _value(self, value: Any) -> Tensor:
        kind = value.type.tensor_type
        shape = tuple(d.dim_value if d.HasField("dim_value") else DYNAMIC for d in kind.shape.dim)
        return Tensor(value.name, shape, self._dtype(kind.elem_type))

    def _dtype(self, elem_type: int) -> str:
        name = self._onnx.TensorProto.DataType.Name(elem_type).lower()
        return {"float": "float32", "double": "float64", "undefined": "unknown"}.get(name, str(name))


def _macs(kind: str, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> int:
    """None for what is not linear, and for what is of unknown shape."""
    linear = ONNX.get(kind, UNKNOWN_ONNX).linear
    if linear is None or not (is_sized(inputs[0].shape) and is_sized(outputs[0].shape)):
        return 0
    return linear.macs([tensor.shape for tensor in inputs], outputs[0].shape)
