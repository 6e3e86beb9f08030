"""Which operators of a float .tflite become integer, where conversions stand, and which tensors share parameters.

All that is decided without a single range: what has no int8 kernel stays in float, a QUANTIZE or DEQUANTIZE stands
wherever the two meet, and what an operator's kernel asks of scales joins tensors into groups. The graph is rewritten
here, and not by TensorFlow's converter, so that the ranges are ours, the picture's parameters are pinned, and what has
no int8 kernel is known.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from exporter.graph.tflite_editor import TfliteGraph
from exporter.passes.tflite.cleanup import fuse_activations
from exporter.quantization.params import Range
from exporter.quantization.ranges.estimators import Wanted
from exporter.quantization.remarks import Rule
from exporter.quantization.tflite.clamps import drop_saturating_clamps
from exporter.quantization.tflite.codes import INT8, Code
from exporter.quantization.tflite.conversions import Conversions, Int8Tensor
from exporter.quantization.tflite.float_operators import in_float, is_asked_for, normalised
from exporter.quantization.tflite.scales import float_activations, residual_tensors


@dataclass(frozen=True, slots=True)
class Int8Plan:
    """What `write_int8` writes once it is told ranges. `wanted` and origins are tensors of the float file."""

    content: bytes  # every operator of the INT8 file, conversions too, all still in float
    wanted: Wanted[int]
    tensors: tuple[Int8Tensor, ...]  # numbered as in `content`
    constants: Mapping[int, Range]  # group -> values of constants that must fit into it
    symmetric: frozenset[int]  # groups whose zero point is zero
    integer: frozenset[int]  # numbers of operators
    asked_float: frozenset[int]  # numbers of operators that somebody wanted in float
    float_operators: tuple[str, ...]  # "KIND output-name", these and all others that stay in float
    float_rules: tuple[Rule, ...]  # why, of each of these
    sources: tuple[int | None, ...]  # of each operator the number in the float file; None: it was put in
    code: Code = INT8


def plan_int8(
    content: bytes,
    *,
    keep_float: tuple[str, ...] = (),
    float_layers: Collection[str] = (),
    float_ends: bool = False,
    enclose: bool = True,
    ranges: Mapping[int, Range] | None = None,
    code: Code = INT8,
) -> Int8Plan:
    """The plan for the float file `content`.

    `keep_float` are patterns (fnmatch) of operator kinds or output names that stay in float, `float_layers` output
    names as they are. With `float_ends` the file takes and gives float32 pictures; otherwise int8 ones as PIXELS says.
    `enclose` leaves in float, too, what has no weights and lies between float operators only. With `ranges` known, a
    tensor that others read, too, is not given the steps of a much wider one that it only stands beside. `code`: the
    integers.
    """
    graph = TfliteGraph(content)
    numbers = {id(operator): number for number, operator in enumerate(graph.operators)}
    fuse_activations(graph)
    asked = [operator for operator in graph.operators if is_asked_for(graph, operator, keep_float, float_layers)]
    rules = in_float(graph, asked, enclose=enclose, ranges=ranges or {}, code=code)
    kept = [operator for operator, _ in rules]
    normal = normalised(graph)
    kept_float = {tensor for operator in kept for tensor in (*operator.inputs, *operator.outputs)}
    drop_saturating_clamps(graph, kept_float, code)
    rule_of = {id(operator): rule for operator, rule in rules}
    stay = [(operator, rule_of[id(operator)]) for operator in graph.operators if id(operator) in rule_of]
    integer = [operator for operator in graph.operators if id(operator) not in rule_of]
    conversions = Conversions(graph, integer, ranges or {}, code)
    conversions.convert(float_ends)
    conversions.share()
    tensors = conversions.tensors()
    objects = [graph.tensors[each.tensor] for each in tensors]
    made = graph.to_bytes()
    origins = frozenset(each.origin for each in tensors)
    return Int8Plan(
        made,
        Wanted(origins, origins & conversions.unclipped, origins & normal),
        renumbered(graph, tensors, objects),
        conversions.constants,
        conversions.symmetric(),
        frozenset(n for n, operator in enumerate(graph.operators) if conversions.is_integer(operator)),
        frozenset(n for n, operator in enumerate(graph.operators) if operator in asked),
        tuple(f"{graph.kind(operator)} {graph.name(operator.outputs[0])}" for operator, _ in stay),
        tuple(rule for _, rule in stay),
        tuple(numbers.get(id(operator)) for operator in graph.operators),
        code,
    )


def renumbered(graph: TfliteGraph, tensors: Sequence[Int8Tensor], objects: Sequence[Any]) -> tuple[Int8Tensor, ...]:
    """`tensors`, whose tables are `objects`, with the numbers they have in `graph` since it was written."""
    places = {id(tensor): number for number, tensor in enumerate(graph.tensors)}
    pairs = zip(tensors, objects, strict=True)
    return tuple(replace(each, tensor=places[id(table)]) for each, table in pairs if id(table) in places)


def activations_of(content: bytes) -> Wanted[int]:
    """All float activations of a file, whatever is integer later."""
    graph = TfliteGraph(content)
    ends = [index for operator in graph.operators for index in (*operator.inputs, *operator.outputs)]
    return Wanted(frozenset(float_activations(graph, ends)), frozenset(residual_tensors(graph)))
