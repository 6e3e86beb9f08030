"""Another order of channels is a matter of the convolution that makes them, or of the one that reads them.

Reordering weights costs nothing and changes no number; slices and concatenations are operators of their own, at the
ends of a network whose channels are blue, green, red three whole pictures each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from exporter.graph.onnx_editor import Array, OnnxGraph, attribute
from exporter.graph.operators import ONNX, UNKNOWN_ONNX

_PAIRWISE = {"Add", "Sub", "Mul", "Div"}
_CHANNELS = (1, -3)  # the axis of a picture (N, C, H, W)


@dataclass(frozen=True, slots=True)
class _Reordering:
    """All channels of `source`, each once, in another order: at place i its `order[i]`.

    `reads`: how often this reads the source; 0 when its slices serve others, too, and the source must stay as it is.
    """

    source: str
    order: Array
    reads: int


def fold_channel_orders(graph: OnnxGraph) -> bool:
    """Give every reordering of all channels to the convolutions before it or behind it that can take it."""
    modified = False
    for node in graph.nodes:
        if (found := _reordering(graph, node)) is None:
            continue
        modified |= _into_readers(graph, node.output[0], found)
        is_read = node.output[0] in graph.outputs or bool(graph.consumers(node.output[0]))
        if is_read and can_reorder(graph, found.source, found.order, found.reads):
            _put_in_place(graph, node, reorder(graph, found.source, found.order), found)
            modified = True
    return modified


def can_reorder(graph: OnnxGraph, tensor: str, order: Array, reads: int = 1) -> bool:
    """Whether all channels of `tensor`, which is read `reads` times, come from what can make them in that `order`."""
    constant = graph.constants.get(tensor)
    if constant is not None:
        return constant.ndim in (0, 4) or constant.size == 1
    node = graph.producer(tensor)
    if node is None:
        return False
    if (found := _reordering(graph, node)) is not None:
        return np.array_equal(found.order[order], np.arange(len(order)))  # they undo each other
    if tensor in graph.outputs or _reads(graph, tensor) != reads:
        return False
    if node.op_type == "Conv":
        known = all(name in graph.constants for name in list(node.input)[1:])
        return known and attribute(node, "group", 1) == 1 and len(graph.constants[node.input[1]]) == len(order)
    if node.op_type == "DepthToSpace":
        return can_reorder(graph, node.input[0], _before_shuffle(node, order))
    if is_channel_blind(graph, node):
        return can_reorder(graph, node.input[0], order)
    return node.op_type in _PAIRWISE and all(can_reorder(graph, name, order) for name in node.input)


def reorder(graph: OnnxGraph, tensor: str, order: Array, word: str = "reordered") -> str:
    """The tensor that has at place i what stood at `order[i]`; `tensor` itself where its makers could be changed.

    The names of new constants end with `word`.
    """
    node = graph.producer(tensor)
    assert node is not None
    if (found := _reordering(graph, node)) is not None:
        return found.source
    if node.op_type == "Conv":
        for index in range(1, len(node.input)):
            value = graph.constants[node.input[index]]
            graph.set_input(node, index, graph.add_constant(f"{node.input[index]}_{word}", value[order]))
    elif node.op_type == "DepthToSpace":
        graph.set_input(node, 0, reorder(graph, node.input[0], _before_shuffle(node, order), word))
    elif is_channel_blind(graph, node):
        graph.set_input(node, 0, reorder(graph, node.input[0], order, word))
    else:
        for index, name in enumerate(node.input):
            constant = graph.constants.get(name)
            if constant is None:
                graph.set_input(node, index, reorder(graph, name, order, word))
            elif constant.ndim == 4 and constant.shape[1] > 1:
                graph.set_input(node, index, graph.add_constant(f"{name}_{word}", constant[:, order]))
    return tensor


def is_channel_blind(graph: OnnxGraph, node: Any) -> bool:
    """Whether each number becomes another one, by the same rule in all channels: what else it reads is one number."""
    others = [graph.constants.get(name) for name in list(node.input)[1:] if name]
    one_rule = all(value is not None and value.size == 1 for value in others)
    return one_rule and ONNX.get(node.op_type, UNKNOWN_ONNX).reach == "pixel"


def _before_shuffle(node: Any, order: Array) -> Array:
    """The order of channels before a pixel shuffle, of which each of its own is made of r²."""
    block = attribute(node, "blocksize") ** 2
    made = np.arange(len(order) * block)
    if attribute(node, "mode", "DCR") == "DCR":
        return made.reshape(block, -1)[:, order].reshape(-1)
    return made.reshape(-1, block)[order].reshape(-1)


def _reads(graph: OnnxGraph, tensor: str) -> int:
    return sum(list(node.input).count(tensor) for node in graph.consumers(tensor))


def _reordering(graph: OnnxGraph, node: Any) -> _Reordering | None:
    parts = [node]
    if node.op_type == "Concat" and attribute(node, "axis") in _CHANNELS:
        parts = [graph.producer(name) for name in node.input]
    chosen = [found for part in parts if part is not None and (found := _chosen(graph, part)) is not None]
    sources = {source for source, _ in chosen}
    if len(chosen) != len(parts) or len(sources) != 1:
        return None
    (source,), order = sources, np.concatenate([channels for _, channels in chosen])
    if not np.array_equal(np.sort(order), np.arange((graph.shape(source) or (0, 0))[1])):
        return None
    alone = all(part is node or graph.has_one_use(part.output[0]) for part in parts)
    return _Reordering(source, order, len(parts) if alone else 0)


def _chosen(graph: OnnxGraph, node: Any) -> tuple[str, Array] | None:
    """(x, which of its channels) of a slice or a choice by constant numbers."""
    shape = graph.shape(node.input[0]) if node.input else None
    numbers = [graph.constants[name] for name in list(node.input)[1:] if name in graph.constants]
    if shape is None or len(shape) != 4 or len(numbers) != len(node.input) - 1:
        return None
    channels = np.arange(shape[1])
    if node.op_type == "Gather" and attribute(node, "axis", 0) in _CHANNELS and numbers[0].ndim == 1:
        return node.input[0], channels[numbers[0]]
    if node.op_type == "Slice" and len(numbers) > 2 and numbers[2].tolist() in ([axis] for axis in _CHANNELS):
        start, end = int(numbers[0][0]), int(numbers[1][0])
        step = int(numbers[3][0]) if len(numbers) > 3 else 1
        return node.input[0], channels[start : end if end >= -shape[1] else None : step]
    return None


def _into_readers(graph: OnnxGraph, tensor: str, found: _Reordering) -> bool:
    """Let convolutions that read `tensor` read what it was made of, with their weights in another order."""
    modified = False
    for user in graph.consumers(tensor):
        weights = graph.constants.get(user.input[1]) if user.op_type == "Conv" else None
        if weights is None or attribute(user, "group", 1) != 1:
            continue
        reordered = graph.add_constant(f"{user.input[1]}_reordered", weights[:, np.argsort(found.order)])
        graph.set_inputs(user, [found.source, reordered, *user.input[2:]])
        modified = True
    return modified


def _put_in_place(graph: OnnxGraph, node: Any, made: str, found: _Reordering) -> None:
    """Let what read the reordering `node` read `made`; where the graph gives it out, the maker takes its name."""
    from onnx import helper

    name = node.output[0]
    if name not in graph.outputs:
        for user in graph.consumers(name):
            graph.set_inputs(user, [made if read == name else read for read in user.input])
        return
    maker = graph.producer(made)
    if made == found.source and maker is not None:
        graph.remove([node])
        graph.remove(graph.consumers(made))  # the slices
        graph.set_output(maker, list(maker.output).index(made), name)
    else:
        graph.insert_before(node, helper.make_node("Identity", [made], [name], name=node.name))
        graph.remove([node])
