"""Frames of a film, (1, T, C, H, W), as T pictures of rank 4: a phone's engines stop at that rank.

Video networks take frames apart (`x[:, i]`, `unbind`), put them into the batch (`view(-1, C, H, W)`) or behind each
other (`flatten(1, 2)`), and back. Each such step is cutting out pictures and putting them side by side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from exporter.graph.onnx_editor import OnnxGraph, attribute
from exporter.passes.onnx.writer import Writer, replace


@dataclass(frozen=True, slots=True)
class _Frames:
    """A tensor (1, T, C, H, W); `part(write, i)` gives its frame i as (1, C, H, W), in rank 4 alone."""

    count: int
    part: Callable[[Writer, int], str]


def take_frames_apart(graph: OnnxGraph) -> bool:
    """Write what is done to frames as slices and concatenations of rank 4."""
    return replace(graph, {"Gather": _one_frame, "Squeeze": _one_of_split, "Reshape": _all_frames})


def _frames(graph: OnnxGraph, tensor: str) -> _Frames | None:
    made, node = graph.shape(tensor), graph.producer(tensor)
    if made is None or len(made) != 5 or made[0] != 1 or node is None:
        return None
    if node.op_type == "Concat" and attribute(node, "axis", 0) in (1, -4):
        return _stacked(graph, list(node.input))
    source = graph.shape(node.input[0])
    if node.op_type != "Reshape" or source is None or len(source) != 4 or source[2:] != made[3:]:
        return None
    picture, (frames, channels) = node.input[0], made[1:3]
    if source[:2] == (1, frames * channels):
        return _Frames(frames, lambda write, i: write.part(picture, 1, i * channels, (i + 1) * channels))
    if source[:2] == (frames, channels):
        return _Frames(frames, lambda write, i: write.part(picture, 0, i, i + 1))
    return None


def _stacked(graph: OnnxGraph, inputs: list[str]) -> _Frames | None:
    pictures = []
    for tensor in inputs:
        node, shape = graph.producer(tensor), graph.shape(tensor)
        if node is None or node.op_type not in ("Unsqueeze", "Reshape") or shape is None or shape[1] != 1:
            return None
        if graph.shape(node.input[0]) != (shape[0], *shape[2:]):
            return None
        pictures.append(node.input[0])
    return _Frames(len(pictures), lambda _, i: pictures[i])


def _one_frame(write: Writer, graph: OnnxGraph, node: Any) -> None:
    index = graph.constants.get(node.input[1])
    found = _frames(graph, node.input[0])
    if found is None or index is None or index.ndim != 0 or attribute(node, "axis", 0) not in (1, -4):
        return
    _put_in_place(write, found.part(write, int(index) % found.count))


def _one_of_split(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """`unbind`: a split into single frames, whose axis goes."""
    split = graph.producer(node.input[0])
    if split is None or split.op_type != "Split" or attribute(split, "axis", 0) not in (1, -4):
        return
    found, made = _frames(graph, split.input[0]), graph.shape(node.output[0])
    if found is None or len(split.output) != found.count or made is None or len(made) != 4:
        return
    if graph.shape(node.input[0]) != (made[0], 1, *made[1:]):
        return
    _put_in_place(write, found.part(write, list(split.output).index(node.input[0])))


def _put_in_place(write: Writer, picture: str) -> None:
    if not write.made:  # it is a tensor of its own
        write("Identity", picture)


def _all_frames(write: Writer, graph: OnnxGraph, node: Any) -> None:
    before, after = graph.shape(node.input[0]), graph.shape(node.output[0])
    found = _frames(graph, node.input[0])
    if found is None or before is None or after is None or len(after) != 4 or after[2:] != before[3:]:
        return
    if after[:2] not in (in_batch := before[1:3], (1, before[1] * before[2])):
        return
    parts = [found.part(write, i) for i in range(found.count)]
    write("Concat", *parts, axis=0 if after[:2] == in_batch else 1)
