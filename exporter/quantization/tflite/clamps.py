"""Clamps that integers do by themselves.

int8 saturates: when a tensor's range ends where a clamp begins, storing it clamps it and costs no pass over the
picture.
"""

from __future__ import annotations

import math
from typing import Any

from exporter.graph.tflite_editor import TfliteGraph
from exporter.graph.tflite_links import Links
from exporter.quantization.params import Range
from exporter.quantization.tflite.codes import INT8, Code

_LIMITS = {
    "RELU": Range(0.0, math.inf),
    "RELU6": Range(0.0, 6.0),
    "RELU_0_TO_1": Range(0.0, 1.0),
    "RELU_N1_TO_1": Range(-1.0, 1.0),
}


def drop_saturating_clamps(graph: TfliteGraph, kept_float: set[int], code: Code = INT8) -> int:
    """Remove every clamp that storing its producer's result will do; returns how many.

    `kept_float` holds tensors whose operators stay in float. The producer then writes the clamp's output, whose
    measured range lies inside the clamp.
    """
    dropped, links = 0, Links(graph)
    for clamp in list(graph.operators):
        limits = clamp_limits(graph, clamp)
        if limits is None or not limits.low <= 0 <= limits.high:
            continue
        source = next(index for index in clamp.inputs if graph.constant(index) is None)
        target = clamp.outputs[0]
        producer = links.maker(source)
        if producer is None or links.only_reader(source) is None or {source, target} & kept_float:
            continue
        if _saturates(links, producer, target, limits, code):
            links.remove(clamp)
            links.rewire(producer, outputs=[target])
            dropped += 1
    return dropped


def clamp_limits(graph: TfliteGraph, operator: Any) -> Range | None:
    """What `operator` clamps to; None when it is not a clamp by constants."""
    kind = graph.kind(operator)
    if kind in _LIMITS:
        return _LIMITS[kind]
    if kind not in ("MINIMUM", "MAXIMUM"):
        return None
    constants = [graph.constant(index) for index in operator.inputs]
    bound = next((value for value in constants if value is not None and value.size == 1), None)
    if bound is None:
        return None
    value = float(bound.item())
    return Range(-math.inf, value) if kind == "MINIMUM" else Range(value, math.inf)


def _saturates(links: Links, producer: Any, target: int, limits: Range, code: Code) -> bool:
    """True when `target` gets a scale of its own, over its measured range, or is the picture in 0..1."""
    graph = links.graph
    kernel = code.kernels.get(graph.kind(producer))
    if code.symmetric and limits.low > -math.inf:
        return False  # its integers go as far below zero as above
    if kernel is None or kernel.rule not in ("weights", "free"):
        return False
    if target in graph.outputs:  # the picture's range ends at 0 and 1, that of a state where another frame's does
        return target == graph.outputs[0] and limits.high >= 1
    return all(_takes_own_range(graph, user, target, code) for user in links.readers(target))


def _takes_own_range(graph: TfliteGraph, user: Any, tensor: int, code: Code) -> bool:
    kernel = code.kernels.get(graph.kind(user))
    if kernel is None or kernel.rule == "same":
        return False
    return kernel.symmetric is None or user.inputs[kernel.symmetric] != tensor
