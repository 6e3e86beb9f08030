"""The permutations at both ends of a channels-last file move inwards, to where the convolutions begin and end.

What is element by element (the image residual, a clamp, a shift of range) then works on channels-last pictures
directly: engines see no full-size transposition, and a converter to channels-last has nothing to guess.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.rewrites.onnx_graph import Array, OnnxGraph, attribute

TO_CHANNELS_FIRST, TO_CHANNELS_LAST = [0, 3, 1, 2], [0, 2, 3, 1]
_UNARY = {
    "Clip", "Relu", "LeakyRelu", "Sigmoid", "Tanh", "HardSwish", "HardSigmoid", "Elu", "Abs", "Neg", "Sqrt", "Exp",
    "Identity",
}  # fmt: skip
_BINARY = {"Add", "Sub", "Mul", "Div", "Min", "Max"}


def move_permutations_inwards(graph: OnnxGraph) -> None:
    """Move the input permutation down and the output permutation up through element-wise operators. Exact."""
    for node in graph.nodes:
        if _is_permutation(node, TO_CHANNELS_FIRST):
            _sink(graph, node)
    for node in graph.nodes:
        if _is_permutation(node, TO_CHANNELS_LAST) and node.output[0] in graph.outputs:
            _raise(graph, node)
    _cancel(graph)


def _is_permutation(node: Any, perm: list[int]) -> bool:
    return node.op_type == "Transpose" and attribute(node, "perm") == perm


def _sink(graph: OnnxGraph, permutation: Any) -> None:
    """While one element-wise operator is all that reads the permuted picture, let it work before the permutation."""
    while graph.has_one_use(permutation.output[0]):
        user = graph.consumers(permutation.output[0])[0]
        if not _elementwise_with_constants(graph, user, permutation.output[0]) or user.output[0] in graph.outputs:
            return
        _to_channels_last_constants(graph, user)
        place = list(user.input).index(permutation.output[0])
        result, before = user.output[0], f"{user.output[0]}_nhwc"
        user.input[place], user.output[0] = permutation.input[0], before
        permutation.input[0], permutation.output[0] = before, result
        graph.remove([permutation])
        permutation = graph.insert_after(user, permutation)


def _raise(graph: OnnxGraph, permutation: Any) -> None:
    """Let the operator that makes the permuted tensor work on permuted operands instead, then go on with those."""
    from onnx import helper

    maker = graph.producer(permutation.input[0])
    if maker is None or not graph.has_one_use(permutation.input[0]) or not _elementwise(graph, maker):
        return
    _to_channels_last_constants(graph, maker)
    moved = []
    for place, name in enumerate(maker.input):
        if name and name not in graph.constants:
            target = f"{maker.name}_operand{place}_nhwc"
            made = helper.make_node("Transpose", [name], [target], name=target, perm=TO_CHANNELS_LAST)
            maker.input[place] = target
            moved.append(graph.insert_before(maker, made))
    maker.output[0] = permutation.output[0]
    graph.remove([permutation])
    for made in moved:
        _raise(graph, made)


def _cancel(graph: OnnxGraph) -> None:
    """A permutation straight after its inverse reads what the inverse read."""
    for node in graph.nodes:
        if not _is_permutation(node, TO_CHANNELS_LAST) or node.output[0] in graph.outputs:
            continue
        maker = graph.producer(node.input[0])
        if maker is not None and _is_permutation(maker, TO_CHANNELS_FIRST):
            for user in graph.consumers(node.output[0]):
                for place, name in enumerate(user.input):
                    if name == node.output[0]:
                        user.input[place] = maker.input[0]
            graph.remove([node])


def _elementwise(graph: OnnxGraph, node: Any) -> bool:
    """An element-wise operator whose tensors have one shape and whose constants can be permuted."""
    if node.op_type in _UNARY:
        return all(name in graph.constants for name in list(node.input)[1:] if name)
    if node.op_type not in _BINARY or len(node.input) != 2:
        return False
    shape = graph.shape(node.output[0])
    return shape is not None and all(
        _permutable(graph.constants[name]) if name in graph.constants else graph.shape(name) == shape
        for name in node.input
    )


def _elementwise_with_constants(graph: OnnxGraph, node: Any, tensor: str) -> bool:
    return _elementwise(graph, node) and all(name in graph.constants for name in node.input if name not in ("", tensor))


def _permutable(constant: Array) -> bool:
    return constant.size == 1 or constant.ndim in (3, 4)


def _to_channels_last_constants(graph: OnnxGraph, node: Any) -> None:
    if node.op_type not in _BINARY:
        return
    for place, name in enumerate(node.input):
        constant = graph.constants.get(name)
        if constant is not None and constant.size > 1:
            full = constant.reshape((1,) * (4 - constant.ndim) + constant.shape)
            node.input[place] = graph.add_constant(f"{name}_nhwc", np.transpose(full, TO_CHANNELS_LAST))
