"""INT8 in an ONNX file as QuantizeLinear/DequantizeLinear pairs, with ranges of our own: first the plan, then the file.

Pairs stand where ONNX Runtime's quantizer puts them; every activation's scale is that of its range, or of the tensor
that it shares it with.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

from exporter.carried import PREVIOUS_INPUT, PREVIOUS_OUTPUT, sources_of
from exporter.graph.onnx_editor import OnnxGraph
from exporter.graph.operators import ONNX
from exporter.quantization.onnx.float_nodes import normalised, steps_of
from exporter.quantization.onnx.placement import place
from exporter.quantization.onnx.write import write_pairs
from exporter.quantization.params import PIXELS, Affine, Range
from exporter.quantization.ranges.estimators import Wanted
from exporter.quantization.ranges.seen import narrowed_to_seen

# ONNX Runtime quantises these; outputs of _SAME have their input's scale, and no rounding happens in them.
KINDS = tuple(kind for kind, operator in ONNX.items() if operator.scale)
SHARED = (PREVIOUS_INPUT, PREVIOUS_OUTPUT)  # states that are pictures, as they came out or went in
_SAME = {kind for kind in KINDS if ONNX[kind].scale == "input"}
_CLAMPS = {kind for kind in KINDS if ONNX[kind].scale == "clamp"}


@dataclass(frozen=True, slots=True)
class QdqPlan:
    """`groups`: tensors with a scale of their own -> those that share it. `pixels`: groups that hold a picture.
    `in_float`: names of the nodes that stay in float."""

    model: Any  # an onnx.ModelProto, float, with inferred shapes
    groups: Mapping[str, frozenset[str]]
    pixels: frozenset[str]
    wanted: Wanted[str]
    in_float: frozenset[str]


def plan_qdq(model: Any, in_float: frozenset[str]) -> QdqPlan:
    """The plan for a float onnx.ModelProto whose nodes `in_float` stay so.

    Every activation is in it: the quantizer would give an operator it does not know a scale from its own image.
    """
    import onnx

    model = onnx.shape_inference.infer_shapes(model)
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    users: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    heads = _heads(graph, makers, users, in_float)
    floats = _floats(graph)
    groups = {name: frozenset(members) for name, members in heads.items() if name in floats}
    carried = {value.name for values in (graph.input, graph.output) for value in values[1:]}
    residual, ends = _residual(graph, makers) | carried, {graph.input[0].name, graph.output[0].name, *SHARED}
    unclipped = {name for name, members in groups.items() if not residual.isdisjoint({name, *members})}
    pixels = {name for name, members in groups.items() if not ends.isdisjoint({name, *members})}
    wanted = Wanted(frozenset(groups), frozenset(unclipped), frozenset(normalised(model) & groups.keys()))
    return QdqPlan(model, groups, frozenset(pixels), wanted, in_float)


def activations_of(model: Any) -> Wanted[str]:
    """All activations of a float onnx.ModelProto, whatever is INT8 later."""
    import onnx

    model = onnx.shape_inference.infer_shapes(model)
    makers = {name: node for node in model.graph.node for name in node.output}
    tensors = frozenset(_floats(model.graph) & {model.graph.input[0].name, *makers})
    unclipped = frozenset(_residual(model.graph, makers))
    return Wanted(tensors, tensors & unclipped, tensors & normalised(model))


def seen_ranges(plan: QdqPlan, ranges: Mapping[str, Range]) -> dict[str, Range]:
    """`ranges`, none wider than what can be seen of it."""
    graph = plan.model.graph
    given, made = ([value.name for value in values] for values in (graph.input, graph.output))
    ends = given[:1], made[:1], made[1:]
    shared = {name: ranges[head] for head, members in plan.groups.items() for name in members if head in ranges}
    return narrowed_to_seen(steps_of(plan.model), shared | dict(ranges), *ends)


def write_qdq(plan: QdqPlan, ranges: Mapping[str, Range], target: Path, unsigned: bool) -> None:
    """Write the INT8 file of `plan` into `target`.

    `ranges` are those that the plan wants. `unsigned` stores activations as uint8: the same steps moved up by 128.
    """
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(plan.model)
    graph = OnnxGraph(model)
    params: dict[str, Affine] = {}
    codes = {name: PIXELS if name in plan.pixels else Affine.of_range(ranges[name]) for name in plan.groups}
    for alike in _carried(plan):
        dictated = next((PIXELS for name in alike if name in plan.pixels), None)
        values = reduce(Range.union, (ranges[name] for name in alike if name not in plan.pixels), Range(0.0, 0.0))
        codes |= dict.fromkeys(alike, dictated or Affine.of_range(values))
    for name, members in plan.groups.items():
        params |= dict.fromkeys((name, *members), codes[name])
    placement = place(graph, KINDS, plan.in_float, _floats(model.graph))
    onnx.save(write_pairs(graph, placement, params, unsigned), target)


def _carried(plan: QdqPlan) -> list[set[str]]:
    """Groups that have one scale, as what one frame gives goes into the next as it came out."""
    given, made = ([value.name for value in values] for values in (plan.model.graph.input, plan.model.graph.output))
    group_of = {name: head for head, members in plan.groups.items() for name in (head, *members)}
    alike: list[set[str]] = []
    for state, source in zip(given[1:], sources_of(given, made), strict=True):
        if source > 0 and state in group_of and made[source] in group_of:
            pair = {group_of[state], group_of[made[source]]}
            met = [group for group in alike if group & pair]
            alike = [group for group in alike if group not in met] + [pair.union(*met)]
    return alike


def _heads(
    graph: Any, makers: Mapping[str, Any], users: Mapping[str, list[Any]], in_float: Collection[str]
) -> dict[str, set[str]]:
    """Each tensor with a scale of its own, and the tensors that inherit it."""
    heads: dict[str, set[str]] = {value.name: set() for value in graph.input}
    given_out = {value.name for value in graph.output}
    for node in graph.node:
        if node.op_type in KINDS and node.name not in in_float:
            for name in node.output:
                heads.setdefault(_head(name, makers, in_float), set()).add(name)
            for name in node.input:
                if name in makers:
                    heads.setdefault(_head(name, makers, in_float), set())
    swallowed = {
        node.input[0]
        for node in graph.node
        if node.op_type in _CLAMPS
        and node.name not in in_float
        and len(users[node.input[0]]) == 1
        and node.input[0] not in given_out
        and node.input[0] in makers
        and makers[node.input[0]].name not in in_float
    }
    return {name: members for name, members in heads.items() if name not in swallowed}


def _head(name: str, makers: Mapping[str, Any], in_float: Collection[str]) -> str:
    while name in makers and makers[name].op_type in _SAME and makers[name].name not in in_float:
        name = makers[name].input[0]
    return name


def _floats(graph: Any) -> set[str]:
    """Names of the float tensors whose format shape inference knows."""
    import onnx

    described = (*graph.value_info, *graph.input, *graph.output)
    return {value.name for value in described if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}


def _residual(graph: Any, makers: Mapping[str, Any]) -> set[str]:
    """What is added to make the output picture: its tails are the strongest edges and are never cut off."""
    found: set[str] = set()
    frontier, seen_sum = [graph.output[0].name], False
    while frontier:
        name = frontier.pop()
        node = makers.get(name)
        if node is None or name in found:
            continue
        found.add(name)
        if node.op_type in _SAME | _CLAMPS:
            frontier.append(node.input[0])
        elif node.op_type in ("Add", "Sub") and not seen_sum:
            seen_sum = True
            frontier += list(node.input)
    return found
