"""Which operators of a float graph stay in float: no int8 kernel, asked for, or between such ones."""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase
from typing import Any

from exporter.graph.operators import INT8_KERNELS, TFLITE_WEIGHTED
from exporter.graph.tflite_editor import TfliteGraph
from exporter.quantization.tflite.scales import float_activations


def is_asked_for(graph: TfliteGraph, operator: Any, patterns: tuple[str, ...], names: Collection[str]) -> bool:
    """Whether `patterns` (fnmatch, over its kind and output names) or `names` (of first outputs) mean `operator`."""
    made = [graph.name(index) for index in operator.outputs]
    words = (graph.kind(operator), *made)
    return made[0] in names or any(fnmatchcase(word, pattern) for word in words for pattern in patterns)


def has_int8_kernel(graph: TfliteGraph, operator: Any) -> bool:
    """Whether `operator` of a float graph can compute in int8."""
    kind = graph.kind(operator)
    if kind in TFLITE_WEIGHTED:
        return graph.constant(operator.inputs[TFLITE_WEIGHTED[kind].weights]) is not None
    return kind in INT8_KERNELS and all(graph.dtype(index) == "FLOAT32" for index in operator.outputs)


def enclosed(graph: TfliteGraph, kept: list[Any]) -> list[Any]:
    """What lies between float operators only, such as an attention's bias and softmax: int8 there costs two
    conversions and precision, and gains nothing."""
    makers = {tensor: operator for operator in graph.operators for tensor in operator.outputs}
    users: dict[int, list[Any]] = {tensor: [] for tensor in makers}
    for operator in graph.operators:
        for tensor in float_activations(graph, operator.inputs):
            users.get(tensor, []).append(operator)
    inside = {
        id(operator): operator for operator in graph.operators if operator not in kept and _light(graph, operator)
    }
    apart = {id(operator) for operator in kept}
    while True:
        known = apart | set(inside)
        leaking = [
            key
            for key, operator in inside.items()
            if any(id(makers.get(tensor)) not in known for tensor in float_activations(graph, operator.inputs))
            or any(id(user) not in known for tensor in operator.outputs for user in users[tensor])
            or not set(operator.outputs).isdisjoint(graph.outputs)
        ]
        if not leaking:
            return list(inside.values())
        for key in leaking:
            del inside[key]


def _light(graph: TfliteGraph, operator: Any) -> bool:
    return graph.kind(operator) not in TFLITE_WEIGHTED
