"""Which operators of a float graph stay in float: no int8 kernel, asked for, statistics, or between such ones."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from math import prod
from typing import Any

from exporter.graph.operators import TFLITE_WEIGHTED
from exporter.graph.tflite_editor import TfliteGraph
from exporter.quantization.float_regions import FloatRegions, Step
from exporter.quantization.params import STEPS, Range
from exporter.quantization.remarks import Rule
from exporter.quantization.tflite.codes import INT8, Code
from exporter.quantization.tflite.scales import float_activations

# Steps that an even share of many probabilities must have; with fewer a row without favourites is rounded away.
FEWEST_STEPS_OF_SHARE = 4
# In the kernel's steps of 1/256 a probability of a seventeenth has 15; of those of a plane's pixels most have none.
MOST_PROBABILITIES = 16


def is_asked_for(graph: TfliteGraph, operator: Any, patterns: tuple[str, ...], names: Collection[str]) -> bool:
    """Whether `patterns` (fnmatch, over its kind and output names) or `names` (of first outputs) mean `operator`."""
    made = [graph.name(index) for index in operator.outputs]
    words = (graph.kind(operator), *made)
    return made[0] in names or any(fnmatchcase(word, pattern) for word in words for pattern in patterns)


def has_kernel(graph: TfliteGraph, operator: Any, code: Code = INT8) -> bool:
    """Whether `operator` of a float graph can compute in such integers."""
    kind = graph.kind(operator)
    if kind not in code.kernels:
        return False
    if kind in TFLITE_WEIGHTED:
        return graph.constant(operator.inputs[TFLITE_WEIGHTED[kind].weights]) is not None
    if kind == "SOFTMAX" and graph.shape(operator.outputs[0])[-1] * (STEPS + 1) > MOST_PROBABILITIES * code.numbers:
        return False
    return all(graph.dtype(index) == "FLOAT32" for index in operator.outputs)


def statistics(graph: TfliteGraph) -> list[Any]:
    """The operators that take means of squares, and those of the norms around them."""
    return [graph.operators[place] for place in sorted(_regions(graph).statistics())]


def normalised(graph: TfliteGraph) -> set[int]:
    """The tensors that norms over planes leave, and activation functions of these."""
    return _regions(graph).normalised()


def in_float(
    graph: TfliteGraph,
    asked: list[Any],
    *,
    enclose: bool,
    ranges: Mapping[int, Range] | None = None,
    code: Code = INT8,
) -> list[tuple[Any, Rule]]:
    """All operators that stay in float, in the order they run, each with the rule that says so. `ranges` say where int8
    is too coarse for probabilities."""
    regions, ids = _regions(graph), {id(operator) for operator in asked}
    rules: dict[int, Rule] = dict.fromkeys(regions.statistics(), "statistic")
    for place, operator in enumerate(graph.operators):
        if id(operator) in ids:
            rules[place] = "asked"
        elif not has_kernel(graph, operator, code):
            rules.setdefault(place, "no kernel")
    for place in regions.exponents(rules):
        rules.setdefault(place, "exponent")
    for place, shares in regions.of_probabilities().items():
        if _vanishes(graph, shares, ranges or {}, code):
            rules.setdefault(place, "probability")
    if enclose:
        rules |= dict.fromkeys(regions.enclosed(set(rules), graph.outputs), "enclosed")
    return [(graph.operators[place], rules[place]) for place in sorted(rules)]


def _vanishes(graph: TfliteGraph, shares: int, ranges: Mapping[int, Range], code: Code) -> bool:
    """Whether integers for the largest of these probabilities leave too few steps to a row in which all are alike."""
    known = ranges.get(shares)
    return known is not None and FEWEST_STEPS_OF_SHARE * _summed_over(graph, shares) * known.high > code.numbers


def _summed_over(graph: TfliteGraph, shares: int) -> int:
    """How many probabilities make one."""
    maker = graph.producer(shares)
    shape = graph.shape(shares)
    return shape[1] if maker is not None and graph.kind(maker) == "DIV" else shape[-1]


def _regions(graph: TfliteGraph) -> FloatRegions[int]:
    return FloatRegions(steps_of(graph), {index: prod(graph.shape(index)) for index in _activations(graph)})


def steps_of(graph: TfliteGraph) -> list[Step[int]]:
    """Its operators, in the order they run."""
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
