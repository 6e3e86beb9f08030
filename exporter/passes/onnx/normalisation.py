"""Layer and instance norms written out in operators every engine has, and kept within half precision.

y = (x - mean) / sqrt(mean((x - mean)²) + ε) · weight + bias. A norm does not change when what enters it is scaled, as
long as ε is scaled along: so the convolution before an instance norm gets filters of length 1, to the nearest power of
two, which no rounding can tell from the original, and whose squares stay far below half precision's 65504.
Ba, Kiros, Hinton, "Layer Normalization", 2016; Ulyanov, Vedaldi, Lempitsky, "Instance Normalization", 2016.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.graph.onnx_editor import Array, OnnxGraph, attribute
from exporter.graph.operators import ONNX_WEIGHTED

_CONVOLUTIONS = ("Conv", "ConvTranspose")


def write_out_norms(graph: OnnxGraph) -> bool:
    """Replace LayerNormalization and InstanceNormalization by means, squares and roots."""
    modified = False
    nodes: list[Any] = []
    for node in graph.nodes:
        nodes.append(node)
        shape = graph.shape(node.input[0]) if node.input else None
        if shape is None:
            continue
        if node.op_type == "LayerNormalization":
            axes = list(range(attribute(node, "axis", -1) % len(shape), len(shape)))
            factors = list(node.input[1:])
        elif node.op_type == "InstanceNormalization":
            axes = list(range(2, len(shape)))
            factors, made = _per_channel(graph, node, len(shape))
            nodes[-1:-1] = made
        else:
            continue
        nodes[-1:] = _written_out(graph, node, axes, factors)
        modified = True
    if modified:
        graph.replace_nodes(nodes)
    return modified


def _per_channel(graph: OnnxGraph, node: Any, rank: int) -> tuple[list[str], list[Any]]:
    """Scale and shift as numbers of planes, constants or computed, and the nodes that compute them.

    Norms of several ranks may share them: each has its own.
    """
    from onnx import helper

    sizes: list[int] = [-1, *[1] * (rank - 2)]
    factors: list[str] = []
    made: list[Any] = []
    for word, name in zip(("scale", "shift"), node.input[1:], strict=True):
        wanted = f"{node.output[0]}_{word}_per_channel"
        value = graph.constants.get(name)
        if value is not None:
            factors.append(graph.add_constant(wanted, value.reshape(sizes)))
            continue
        shape = graph.add_constant(f"{wanted}_shape", np.array(sizes, np.int64))
        made.append(helper.make_node("Reshape", [name, shape], [wanted]))
        factors.append(wanted)
    return factors, made


def _written_out(graph: OnnxGraph, node: Any, axes: list[int], factors: list[str]) -> list[Any]:
    from onnx import helper

    x, y = node.input[0], node.output[0]
    over = graph.add_constant(f"{y}_axes", np.array(axes, np.int64))
    epsilon = graph.add_constant(f"{y}_epsilon", np.array(attribute(node, "epsilon", 1e-5), np.float32))
    steps = [
        ("ReduceMean", [x, over], "mean"),
        ("Sub", [x, f"{y}_mean"], "centred"),
        ("Mul", [f"{y}_centred", f"{y}_centred"], "square"),
        ("ReduceMean", [f"{y}_square", over], "variance"),
        ("Add", [f"{y}_variance", epsilon], "safe"),
        ("Sqrt", [f"{y}_safe"], "spread"),
        ("Div", [f"{y}_centred", f"{y}_spread"], "normal"),
    ]
    last = f"{y}_normal"
    for kind, factor, name in zip(("Mul", "Add"), factors, ("scaled", "moved"), strict=False):
        if factor:
            steps.append((kind, [last, factor], name))
            last = f"{y}_{name}"
    made = [
        helper.make_node(kind, inputs, [y if f"{y}_{name}" == last else f"{y}_{name}"], name=f"{node.name or y}_{name}")
        for kind, inputs, name in steps
    ]
    others = zip(list(node.output)[1:], (("Identity", "mean"), ("Reciprocal", "spread")), strict=False)
    return made + [helper.make_node(kind, [f"{y}_{name}"], [output]) for output, (kind, name) in others if output]


def scale_before_norms(graph: OnnxGraph) -> bool:
    """Give the convolution before each instance norm filters of length about 1."""
    modified = False
    for centre in [node for node in graph.nodes if node.op_type == "Sub"]:
        found = _instance_norm(graph, centre)
        if found is None:
            continue
        maker, safe, place = found
        axis = ONNX_WEIGHTED[maker.op_type].channel_axis
        weights = graph.constants[maker.input[1]]
        others = tuple(dim for dim in range(weights.ndim) if dim != axis)
        length = np.sqrt((weights.astype(np.float64) ** 2).sum(axis=others))
        factor = np.exp2(-np.round(np.log2(np.where(length > 0, length, 1))))
        _scale(graph, maker, axis, factor)
        epsilon = graph.constants[safe.input[place]] * (factor.reshape(1, -1, 1, 1) ** 2)
        scaled = graph.add_constant(f"{safe.input[place]}_scaled", epsilon.astype(np.float32))
        graph.set_input(safe, place, scaled)
        modified = True
    return modified


def _scale(graph: OnnxGraph, maker: Any, axis: int, factor: Array) -> None:
    weights = graph.constants[maker.input[1]]
    shape = [-1 if dim == axis else 1 for dim in range(weights.ndim)]
    made = (weights * factor.reshape(shape)).astype(np.float32)
    graph.set_input(maker, 1, graph.add_constant(f"{maker.input[1]}_scaled", made))
    if len(maker.input) > 2 and maker.input[2]:
        bias = (graph.constants[maker.input[2]] * factor).astype(np.float32)
        graph.set_input(maker, 2, graph.add_constant(f"{maker.input[2]}_scaled", bias))


def _instance_norm(graph: OnnxGraph, centre: Any) -> tuple[Any, Any, int] | None:
    """(the convolution before, the Add of ε, ε's place in it) of x - mean(x) that is divided by its own spread."""
    x, mean = centre.input[0], graph.producer(centre.input[1])
    maker = graph.producer(x)
    if maker is None or mean is None or not _is_plane_mean(graph, mean) or mean.input[0] != x:
        return None
    known = maker.op_type in _CONVOLUTIONS and all(name in graph.constants for name in list(maker.input)[1:] if name)
    grouped = maker.op_type == "ConvTranspose" and attribute(maker, "group", 1) != 1
    if not known or grouped or x in graph.outputs or len(graph.consumers(x)) != 2:
        return None
    steps, users = centre.output[0], graph.consumers(centre.output[0])
    square = next((user for user in users if user.op_type == "Mul" and set(user.input) == {steps}), None)
    if square is None or len(users) != 2:
        return None
    variance = _only_user(graph, square)
    safe = None if variance is None or not _is_plane_mean(graph, variance) else _only_user(graph, variance)
    root = None if safe is None or safe.op_type != "Add" else _only_user(graph, safe)
    divided = None if root is None or root.op_type != "Sqrt" else _only_user(graph, root)
    if safe is None or root is None or divided is None or divided.op_type != "Div":
        return None
    place = next((place for place, name in enumerate(safe.input) if name in graph.constants), None)
    if place is None or divided.input[1] != root.output[0]:
        return None
    rest = next(user for user in users if user is not square)
    by_inverse = (
        rest.op_type == "Mul" and divided.output[0] in rest.input and len(graph.consumers(divided.output[0])) == 1
    )
    above = graph.constants.get(divided.input[0])
    whole = divided is rest or divided == rest
    return (maker, safe, place) if whole or (by_inverse and above is not None and np.all(above == 1)) else None


def _is_plane_mean(graph: OnnxGraph, node: Any) -> bool:
    if node.op_type != "ReduceMean" or not attribute(node, "keepdims", 1):
        return False
    axes = graph.constants.get(node.input[1]) if len(node.input) > 1 else attribute(node, "axes")
    shape = graph.shape(node.input[0])
    return axes is not None and shape is not None and sorted(int(axis) % len(shape) for axis in axes) == [2, 3]


def _only_user(graph: OnnxGraph, node: Any) -> Any | None:
    users = graph.consumers(node.output[0])
    return users[0] if len(users) == 1 and node.output[0] not in graph.outputs else None
