"""Scales and shifts of whole channels go into the convolution beside them, pixel for pixel the same at the border too.

After a convolution both fold: W·s, b·s + t. Before one only the scale does: what a convolution pads with zeros stands
for pixels that were shifted, so a shift that went into the bias would change the border (black around a picture is
grey around a normalised one). There the shift stays, as an addition. EDSR's mean shifts, 1 × 1 convolutions with a
diagonal kernel, are the usual case.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.graph.onnx_editor import Array, OnnxGraph, attribute


def fold_affine(graph: OnnxGraph) -> bool:
    """Fold every per-channel scale or shift that has a convolution beside it."""
    modified = False
    for node in graph.nodes:
        found = _affine(graph, node)
        if found is None:
            continue
        source, scale, shift = found
        maker = graph.producer(source)
        if maker is not None and _is_known(graph, maker) and graph.has_one_use(source):
            _into_maker(graph, maker, scale, shift)
            graph.set_output(maker, 0, node.output[0])
            graph.remove([node])
            modified = True
        elif node.op_type == "Conv" and _leave_the_shift(graph, node, scale, shift):
            modified = True
    return modified


def _affine(graph: OnnxGraph, node: Any) -> tuple[str, Array, Array] | None:
    """(x, s, t) of a node that computes s·x + t with one s and one t a channel, or one for all."""
    if node.op_type == "Conv":
        return _diagonal(graph, node)
    if node.op_type not in ("Add", "Sub", "Mul", "Div") or len(node.input) != 2:
        return None
    places = (1, 0) if node.op_type in ("Add", "Mul") else (1,)
    place = next((place for place in places if node.input[place] in graph.constants), None)
    if place is None or node.input[1 - place] in graph.constants:
        return None
    value = graph.constants[node.input[place]].astype(np.float64)
    if value.size > 1 and not (value.ndim in (3, 4) and value.shape[-3] == value.size):
        return None
    value, one, zero = value.reshape(-1), np.ones(1), np.zeros(1)
    kinds = {"Add": (one, value), "Sub": (one, -value), "Mul": (value, zero)}
    scale, shift = kinds[node.op_type] if node.op_type != "Div" else (1 / value, zero)
    return (node.input[1 - place], scale, shift) if np.isfinite(scale).all() else None


def _diagonal(graph: OnnxGraph, node: Any) -> tuple[str, Array, Array] | None:
    """A 1 × 1 convolution that mixes no channels."""
    if not _is_known(graph, node, groups=True):
        return None
    weights = graph.constants[node.input[1]].astype(np.float64)
    plain = not any(attribute(node, "pads") or [0]) and set(attribute(node, "strides") or [1]) == {1}
    if weights.shape[2:] != (1, 1) or not plain or attribute(node, "auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return None
    matrix, groups = weights[:, :, 0, 0], attribute(node, "group", 1)
    if groups == len(matrix) and matrix.shape[1] == 1:
        scale = matrix[:, 0]
    elif groups == 1 and matrix.shape[0] == matrix.shape[1] and np.array_equal(matrix, np.diag(np.diag(matrix))):
        scale = np.diag(matrix)
    else:
        return None
    shift = graph.constants[node.input[2]] if len(node.input) > 2 and node.input[2] else np.zeros(len(matrix))
    return node.input[0], scale, shift.astype(np.float64)


def _is_known(graph: OnnxGraph, node: Any, groups: bool = False) -> bool:
    """A 2-D convolution with constant weights, ungrouped unless `groups`."""
    known = node.op_type == "Conv" and all(name in graph.constants for name in list(node.input)[1:] if name)
    return known and graph.constants[node.input[1]].ndim == 4 and (groups or attribute(node, "group", 1) == 1)


def _into_maker(graph: OnnxGraph, maker: Any, scale: Array, shift: Array) -> None:
    weights = graph.constants[maker.input[1]].astype(np.float64)
    bias = graph.constants[maker.input[2]] if len(maker.input) > 2 and maker.input[2] else np.zeros(len(weights))
    if np.any(scale != 1):
        scaled = weights * np.broadcast_to(scale, len(weights)).reshape(-1, 1, 1, 1)
        graph.set_input(maker, 1, graph.add_constant(f"{maker.input[1]}_scaled", scaled.astype(np.float32)))
    moved = (bias * scale + np.broadcast_to(shift, len(weights))).astype(np.float32)
    graph.set_inputs(maker, [*maker.input[:2], graph.add_constant(f"{maker.output[0]}_bias", moved)])


def _leave_the_shift(graph: OnnxGraph, node: Any, scale: Array, shift: Array) -> bool:
    """Put an addition in place of `node` and the scale into the convolutions that follow, when nothing else does."""
    from onnx import helper

    x, y = node.input[0], node.output[0]
    users = graph.consumers(y)
    taken = all(_is_known(graph, user) and list(user.input).count(y) == 1 == (user.input[0] == y) for user in users)
    if not users or not taken or y in graph.outputs or np.any(scale == 0):
        return False
    for user in users:
        weights = graph.constants[user.input[1]] * scale.reshape(1, -1, 1, 1)
        graph.set_input(user, 1, graph.add_constant(f"{user.input[1]}_scaled", weights.astype(np.float32)))
    amount = graph.add_constant(f"{y}_shift", (shift / scale).reshape(1, -1, 1, 1).astype(np.float32))
    graph.insert_before(node, helper.make_node("Add", [x, amount], [y], name=node.name))
    graph.remove([node])
    return True
