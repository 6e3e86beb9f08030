"""Convolutions of a float .tflite that norms read get a code per channel (quantization/weights/channel_codes.py)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from exporter.graph.operators import TFLITE_WEIGHTED
from exporter.graph.tflite_editor import TfliteGraph
from exporter.passes.tflite.cleanup import fuse_activations
from exporter.quantization.ranges.float_activations import Floats, tflite_activations
from exporter.quantization.tflite.float_operators import is_asked_for, statistics
from exporter.quantization.weights.channel_codes import LEAST_DB, ChannelCodes, Coded, channels_seen

_MOVES = ("RESHAPE", "TRANSPOSE")
_KINDS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV")


def give_channels_codes(content: bytes, images: Iterable[Floats], keep_float: tuple[str, ...] = ()) -> Coded[bytes]:
    """The float file that an INT8 one is made from; its float layers go by their output names.

    Images are (H, W, C) 0..1. What `keep_float` names stays as it is. Raises ValueError for NaN and infinity.
    """
    graph = TfliteGraph(content)
    fuse_activations(graph)
    fused = graph.to_bytes()
    graph = TfliteGraph(fused)
    names = {maker.outputs[0]: graph.name(maker.outputs[0]) for maker in _makers(graph, keep_float)}
    if not names:
        return Coded(content, frozenset())
    in_float = set[str]()
    for tensor, seen in channels_seen(tflite_activations(fused, names.keys(), images), names, axis=-1).items():
        maker = graph.producer(tensor)
        codes = seen.codes(clamped=_function(graph, maker) == "RELU")
        if (
            seen.loss_db(codes or ChannelCodes.none(len(seen.low)), planes=_is_read_plane_by_plane(graph, tensor))
            < LEAST_DB
        ):
            in_float.add(names[tensor])
        elif codes is not None:
            _code(graph, maker, codes)
    return Coded(graph.to_bytes(), frozenset(in_float))


def _is_read_plane_by_plane(graph: TfliteGraph, tensor: int) -> bool:
    """Whether a reader takes the mean of each plane of (1, H, W, C)."""
    means = [user for user in graph.consumers(tensor) if graph.kind(user) == "MEAN"]
    axes = [graph.constant(user.inputs[1]) for user in means]
    return any(each is not None and set(np.atleast_1d(each).tolist()) <= {1, 2} for each in axes)


def _makers(graph: TfliteGraph, keep_float: tuple[str, ...]) -> list[Any]:
    """The convolutions that nothing but statistics and norms read."""
    region = statistics(graph)
    return [
        operator
        for operator in graph.operators
        if graph.kind(operator) in _KINDS
        and _function(graph, operator) in ("NONE", "RELU")
        and graph.constant(operator.inputs[TFLITE_WEIGHTED[graph.kind(operator)].weights]) is not None
        and not is_asked_for(graph, operator, keep_float, ())
        and _is_read_by(graph, operator.outputs[0], region)
    ]


def _is_read_by(graph: TfliteGraph, tensor: int, region: list[Any]) -> bool:
    """Whether all that reads `tensor` is in `region`, moved or not."""
    users = graph.consumers(tensor)
    return (
        bool(users)
        and tensor not in graph.outputs
        and all(
            user in region or (graph.kind(user) in _MOVES and _is_read_by(graph, user.outputs[0], region))
            for user in users
        )
    )


def _function(graph: TfliteGraph, operator: Any) -> str:
    """The name of its fused activation function."""
    kinds, options = graph.schema.ActivationFunctionType, operator.builtinOptions
    names: dict[int, str] = {value: name for name, value in vars(kinds).items() if not name.startswith("_")}
    return names[getattr(options, "fusedActivationFunction", kinds.NONE)]


def _code(graph: TfliteGraph, maker: Any, codes: ChannelCodes) -> None:
    """`maker` makes coded values; a MUL and an ADD make of them what it made before."""
    linear, real = TFLITE_WEIGHTED[graph.kind(maker)], maker.outputs[0]
    name, shape = graph.name(real), graph.shape(real)
    weights = graph.constant(maker.inputs[linear.weights])
    assert weights is not None
    maker.inputs += [-1] * (linear.bias + 1 - len(maker.inputs))
    bias = graph.constant(maker.inputs[linear.bias]) if maker.inputs[linear.bias] >= 0 else np.zeros(shape[-1])
    assert bias is not None
    new_weights, new_bias = codes.coded(weights, bias, linear.channel_axis)
    maker.inputs[linear.weights] = graph.add_constant(graph.name(maker.inputs[linear.weights]), new_weights)
    maker.inputs[linear.bias] = graph.add_constant(f"{name}_coded_bias", new_bias)
    coded, scaled = (graph.add_tensor(f"{name}_{word}", shape, "FLOAT32") for word in ("coded", "scaled"))
    maker.outputs = [coded]
    place = graph.operators.index(maker) + 1
    steps = [("MUL", codes.scales, scaled), ("ADD", codes.shifts, real)]
    if not codes.shifts.any():
        steps = [("MUL", codes.scales, real)]
    before = coded
    for kind, values, after in steps:
        constant = graph.add_constant(f"{graph.name(after)}_by", values.astype(np.float32))
        step = graph.new_operator(kind, 1, [before, constant], [after], f"{kind.title()}Options")
        graph.operators.insert(place, step)
        place, before = place + 1, after
