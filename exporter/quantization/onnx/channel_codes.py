"""Convolutions of a float ONNX file that norms read get a code per channel (quantization/weights/channel_codes.py)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from exporter.graph.onnx_editor import attribute
from exporter.graph.operators import ONNX_WEIGHTED
from exporter.quantization.onnx.float_nodes import statistics
from exporter.quantization.ranges.float_activations import Floats, onnx_activations
from exporter.quantization.weights.channel_codes import LEAST_DB, ChannelCodes, Coded, channels_seen

_MOVES = ("Reshape", "Transpose")
_KINDS = ("Conv", "ConvTranspose")


def give_channels_codes(model: Any, images: Iterable[Floats], keep_float: Collection[str] = ()) -> Coded[Any]:
    """The onnx.ModelProto `model`, changed in place; its float layers go by their nodes' names.

    Images are (H, W, C) 0..1. Nodes named in `keep_float` stay as they are. Raises ValueError for NaN and infinity.
    """
    graph = _Graph(model)
    found = _makers(graph, statistics(model), frozenset(keep_float))
    if not found:
        return Coded(model, frozenset())
    in_float = set[str]()
    names = {name: name for name in found}
    for real, seen in channels_seen(onnx_activations(model, found.keys(), images), names, axis=1).items():
        maker = found[real]
        codes = seen.codes(clamped=maker.output[0] != real)
        if (
            seen.loss_db(codes or ChannelCodes.none(len(seen.low)), planes=_is_read_plane_by_plane(graph, real))
            < LEAST_DB
        ):
            in_float.add(maker.name)
        elif codes is not None:
            _code(graph, maker, real, codes)
    return Coded(model, frozenset(in_float))


def _is_read_plane_by_plane(graph: _Graph, name: str) -> bool:
    """Whether a reader takes the mean of each plane of (1, C, H, W)."""
    for user in graph.users.get(name, []):
        axes = attribute(user, "axes") or graph.constants.get(([*user.input, "", ""])[1])
        over_planes = (
            user.op_type == "ReduceMean" and axes is not None and set(np.ravel(axes).tolist()) <= {2, 3, -1, -2}
        )
        if user.op_type == "InstanceNormalization" or over_planes:
            return True
    return False


class _Graph:
    """Who makes and who reads what in `model`, and its constants."""

    def __init__(self, model: Any) -> None:
        from onnx import numpy_helper

        self.model = model
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self.outputs = {value.name for value in model.graph.output}
        self.users: dict[str, list[Any]] = {}
        for node in model.graph.node:
            for name in dict.fromkeys(node.input):
                self.users.setdefault(name, []).append(node)

    def add_constant(self, name: str, value: Floats) -> str:
        from onnx import numpy_helper

        self.model.graph.initializer.append(numpy_helper.from_array(value, name))
        return name


def _makers(graph: _Graph, region: frozenset[str], keep_float: frozenset[str]) -> Mapping[str, Any]:
    """The convolutions that nothing but statistics and norms read, by what these read: behind a ReLU, its output."""
    found = {}
    for node in graph.model.graph.node:
        known = node.op_type in _KINDS and all(name in graph.constants for name in node.input[1:] if name)
        if not known or node.name in keep_float or attribute(node, "group", 1) != 1 and node.op_type == "ConvTranspose":
            continue
        made, users = node.output[0], graph.users.get(node.output[0], [])
        if len(users) == 1 and users[0].op_type == "Relu" and made not in graph.outputs:
            made = users[0].output[0]
        if _is_read_by(graph, made, region):
            found[made] = node
    return found


def _is_read_by(graph: _Graph, name: str, region: frozenset[str]) -> bool:
    """Whether all that reads the tensor is in `region`, moved or not."""
    users = graph.users.get(name, [])
    return (
        bool(users)
        and name not in graph.outputs
        and all(
            user.name in region or (user.op_type in _MOVES and _is_read_by(graph, user.output[0], region))
            for user in users
        )
    )


def _code(graph: _Graph, maker: Any, real: str, codes: ChannelCodes) -> None:
    """`maker` makes coded values; a Mul and an Add make of them what it made before."""
    from onnx import helper

    weights = graph.constants[maker.input[1]]
    axis = ONNX_WEIGHTED[maker.op_type].channel_axis
    bias = graph.constants[maker.input[2]] if len(maker.input) > 2 and maker.input[2] else np.zeros(weights.shape[axis])
    new_weights, new_bias = codes.coded(weights, bias, axis)
    coded = [graph.add_constant(f"{real}_coded_weights", new_weights), graph.add_constant(f"{real}_bias", new_bias)]
    source = maker.input[0]
    maker.ClearField("input")
    maker.input.extend([source, *coded])
    last = maker if maker.output[0] == real else graph.users[maker.output[0]][0]
    last.output[0] = f"{real}_coded"
    shape = (1, -1, 1, 1)
    scales, shifts = (values.astype(np.float32).reshape(shape) for values in (codes.scales, codes.shifts))
    steps = [("Mul", scales, f"{real}_scaled"), ("Add", shifts, real)]
    if not codes.shifts.any():
        steps = [("Mul", scales, real)]
    before = last.output[0]
    place = list(graph.model.graph.node).index(last) + 1
    for kind, values, after in steps:
        constant = graph.add_constant(f"{after}_by", values)
        graph.model.graph.node.insert(
            place, helper.make_node(kind, [before, constant], [after], name=f"{after}_{kind}")
        )
        place, before = place + 1, after
