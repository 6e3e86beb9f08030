"""A model whose heavy weights are laid aside while a tool works on its structure.

onnxsim copies every weight each time one of its rewrites walks over the graph: for 40 MB of them, whose numbers none of
its rewrites asks for, that is five of six seconds.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

HEAVY_BYTES = 4096
READERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


def lay_aside(model: Any) -> tuple[Any, dict[str, Any]]:
    """(`model` with weights as inputs of the graph, those weights by name, as onnx.TensorProto).

    What stands before a batch norm stays, as it is folded into that; so do weights that are there twice.
    """
    import onnx

    graph = model.graph
    normed = {node.input[0] for node in graph.node if node.op_type == "BatchNormalization"}
    needed = {
        name
        for node in graph.node
        if node.op_type not in READERS or not normed.isdisjoint(node.output)
        for name in node.input
    }
    heavy = [
        tensor for tensor in graph.initializer if len(tensor.raw_data) >= HEAVY_BYTES and tensor.name not in needed
    ]
    equal = Counter(tensor.raw_data for tensor in heavy)
    aside = {tensor.name: tensor for tensor in heavy if equal[tensor.raw_data] == 1}
    light = onnx.ModelProto()
    light.CopyFrom(model)
    del light.graph.initializer[:]
    light.graph.initializer.extend(tensor for tensor in graph.initializer if tensor.name not in aside)
    light.graph.input.extend(
        onnx.helper.make_tensor_value_info(name, tensor.data_type, tensor.dims) for name, tensor in aside.items()
    )
    return light, aside


def put_back(made: Any, aside: dict[str, Any], model: Any) -> None:
    """The weights where they were in `model`, which `made` was made of; what has come since stands behind."""
    graph = made.graph
    inputs = [value for value in graph.input if value.name not in aside]
    places = {tensor.name: place for place, tensor in enumerate(model.graph.initializer)}
    stored = sorted((*graph.initializer, *aside.values()), key=lambda tensor: places.get(tensor.name, len(places)))
    del graph.input[:], graph.initializer[:]
    graph.input.extend(inputs)
    graph.initializer.extend(stored)
