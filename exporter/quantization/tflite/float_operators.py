"""Which operators of a float graph stay in float: no int8 kernel, asked for, statistics, or between such ones."""

from __future__ import annotations

from collections.abc import Collection
from fnmatch import fnmatchcase
from math import prod
from typing import Any

from exporter.graph.operators import INT8_KERNELS, TFLITE_WEIGHTED
from exporter.graph.tflite_editor import TfliteGraph
from exporter.quantization.float_regions import FloatRegions, Step
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


def in_float(graph: TfliteGraph, asked: list[Any], *, enclose: bool) -> list[Any]:
    """All operators that stay in float: those `asked` for, what has no int8 kernel, statistics, and, with `enclose`,
    what lies between such operators only."""
    regions = FloatRegions(_steps(graph), {index: prod(graph.shape(index)) for index in _activations(graph)})
    places = {place for place, op in enumerate(graph.operators) if op in asked or not has_int8_kernel(graph, op)}
    places |= regions.statistics()
    if enclose:
        places |= regions.enclosed(places, graph.outputs)
    return [graph.operators[place] for place in sorted(places)]


def _steps(graph: TfliteGraph) -> list[Step[int]]:
    return [
        Step(
            graph.kind(operator),
            tuple(float_activations(graph, operator.inputs)),
            tuple(operator.outputs),
            graph.kind(operator) in TFLITE_WEIGHTED,
        )
        for operator in graph.operators
    ]


def _activations(graph: TfliteGraph) -> set[int]:
    ends = [index for operator in graph.operators for index in (*operator.inputs, *operator.outputs)]
    return set(float_activations(graph, ends))
