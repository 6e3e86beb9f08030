"""A convolution whose output is only taken apart becomes several: each part then can have an int8 scale of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.graph.onnx_editor import OnnxGraph, attribute

_RANK, _AXIS = 4, 1


def part_convolutions(graph: OnnxGraph) -> bool:
    """Conv before a Split, or Slices that leave no channel out and take none twice; nothing is computed twice."""
    modified = False
    for maker in [node for node in graph.nodes if node.op_type == "Conv"]:
        made = maker.output[0]
        takers = graph.consumers(made)
        parts = [part for node in takers for part in _parts(graph, node)]
        spans = sorted(parts, key=lambda part: part[1])
        ends = [first + count for _, first, count in spans]
        shape = graph.shape(made)
        if len(spans) < 2 or shape is None or made in graph.outputs or len({id(n) for n in takers}) != len(takers):
            continue
        whole = [first for _, first, _ in spans] == [0, *ends[:-1]] and ends[-1] == shape[_AXIS]
        if whole and all(_parts(graph, node) for node in takers) and _is_plain(graph, maker):
            for name, first, count in parts:
                graph.insert_before(takers[0], _part(graph, maker, name, slice(first, first + count)))
            graph.remove([*takers, maker])
            modified = True
    return modified


def _is_plain(graph: OnnxGraph, maker: Any) -> bool:
    stored = all(name in graph.constants for name in maker.input[1:] if name)
    return stored and attribute(maker, "group", 1) == 1


def _parts(graph: OnnxGraph, node: Any) -> list[tuple[str, int, int]]:
    """(output, first channel, channels) of what `node` takes of whole planes; empty of any other node."""
    if node.op_type == "Split" and attribute(node, "axis", 0) in (_AXIS, _AXIS - _RANK):
        shapes = [graph.shape(name) for name in node.output]
        counts = [shape[_AXIS] for shape in shapes if shape is not None]
        if len(counts) < len(shapes):
            return []
        firsts = np.cumsum([0, *counts[:-1]]).tolist()
        return list(zip(node.output, firsts, counts, strict=True))
    if node.op_type != "Slice" or len(node.input) < 4:
        return []
    begins, axes = graph.constants.get(node.input[1]), graph.constants.get(node.input[3])
    steps = graph.constants.get(node.input[4]) if len(node.input) > 4 and node.input[4] else np.ones(1)
    taken, made = graph.shape(node.input[0]), graph.shape(node.output[0])
    if begins is None or axes is None or steps is None or taken is None or made is None or len(taken) != _RANK:
        return []
    if axes.size != 1 or int(axes[0]) % _RANK != _AXIS or (steps != 1).any():
        return []
    return [(node.output[0], int(begins[0]) % taken[_AXIS], made[_AXIS])]


def _part(graph: OnnxGraph, maker: Any, name: str, channels: slice) -> Any:
    """The convolution that makes those channels and calls them `name`."""
    from onnx import NodeProto

    copy = NodeProto()
    copy.CopyFrom(maker)
    copy.name, copy.output[0] = f"{maker.name}_{channels.start}", name
    for place, stored in enumerate(maker.input[1:], 1):
        if stored:
            part = np.ascontiguousarray(graph.constants[stored][channels])
            copy.input[place] = graph.add_constant(f"{stored}_from_{channels.start}", part)
    return copy
