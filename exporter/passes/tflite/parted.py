"""A convolution whose output is only taken apart becomes several: each part then can have an int8 scale of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.graph.tflite_editor import TfliteGraph
from exporter.graph.tflite_links import Links


def part_convolutions(graph: TfliteGraph) -> bool:
    """CONV_2D before SPLITs or SLICEs of its channels that leave none out and none twice; nothing is computed twice."""
    modified, links = False, Links(graph)
    for maker in list(graph.operators):
        if graph.kind(maker) != "CONV_2D" or maker.outputs[0] in graph.outputs:
            continue
        takers = links.readers(maker.outputs[0])
        parts = {id(taker): channel_parts(graph, taker) for taker in takers}
        if (
            takers
            and all(parts.values())
            and _are_all(graph, maker, [part for each in parts.values() for part in each])
        ):
            for taker in takers:
                for made, first in parts[id(taker)]:
                    links.insert(graph.operators.index(taker), _part(graph, maker, made, first))
                links.remove(taker)
            links.remove(maker)
            modified = True
    return modified


def channel_parts(graph: TfliteGraph, operator: Any) -> list[tuple[int, int]]:
    """(output, its first channel) of what `operator` takes of whole pixels, (1, H, W, C); empty of any other."""
    kind, rank = graph.kind(operator), len(graph.shape(operator.outputs[0]))
    if kind in ("SPLIT", "SPLIT_V"):
        axis = graph.constant(operator.inputs[0 if kind == "SPLIT" else 2])
        if axis is None or int(axis.reshape(-1)[0]) % rank != rank - 1:
            return []
        counts = [graph.shape(index)[-1] for index in operator.outputs]
        return list(zip(operator.outputs, np.cumsum([0, *counts[:-1]]).tolist(), strict=True))
    if kind not in ("SLICE", "STRIDED_SLICE") or len(graph.shape(operator.inputs[0])) != rank:
        return []
    begin, taken, made = (
        graph.constant(operator.inputs[1]),
        graph.shape(operator.inputs[0]),
        graph.shape(operator.outputs[0]),
    )
    if begin is None or begin.size != rank or made[:-1] != taken[:-1]:
        return []
    if kind == "SLICE":
        return [(operator.outputs[0], int(begin[-1]))]
    steps, options = graph.constant(operator.inputs[3]), operator.builtinOptions
    if steps is None or (steps != 1).any() or options.ellipsisMask or options.newAxisMask or options.shrinkAxisMask:
        return []
    first = 0 if options.beginMask & 1 << rank - 1 else int(begin[-1]) % taken[-1]
    return [(operator.outputs[0], first)]


def _are_all(graph: TfliteGraph, maker: Any, parts: list[tuple[int, int]]) -> bool:
    """Whether these are several parts, which together are what `maker`, with stored weights and no groups, makes."""
    spans = sorted((first, first + graph.shape(made)[-1]) for made, first in parts)
    ends = [end for _, end in spans]
    stored = all(graph.constant(index) is not None for index in maker.inputs[1:] if index >= 0)
    grouped = graph.shape(maker.inputs[0])[-1] != graph.shape(maker.inputs[1])[-1]
    whole = [first for first, _ in spans] == [0, *ends[:-1]] and ends[-1] == graph.shape(maker.outputs[0])[-1]
    return len(spans) > 1 and whole and stored and not grouped


def _part(graph: TfliteGraph, maker: Any, made: int, first: int) -> Any:
    """The convolution that makes `made`, which begins with channel `first`."""
    channels = slice(first, first + graph.shape(made)[-1])
    inputs = [maker.inputs[0]]
    for index in maker.inputs[1:]:
        value = graph.constant(index) if index >= 0 else None
        name = f"{graph.name(index)}_from_{first}" if index >= 0 else ""
        inputs.append(-1 if value is None else graph.add_constant(name, np.ascontiguousarray(value[channels])))
    own = graph.new_operator("CONV_2D", graph.version(maker), inputs, [made])
    own.builtinOptions, own.builtinOptionsType = maker.builtinOptions, maker.builtinOptionsType
    return own
