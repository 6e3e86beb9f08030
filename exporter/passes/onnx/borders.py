"""Paddings written as those of all axes with amounts of zero and more; what repeats is cut out and joined on."""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.graph.onnx_editor import OnnxGraph, attribute
from exporter.passes.onnx.writer import Rule, Writer

Pair = tuple[int, int]


def _padded(write: Writer, graph: OnnxGraph, node: Any) -> None:
    shape, amounts = graph.shape(node.input[0]), _amounts(graph, node)
    if shape is None or amounts is None:
        return
    mode, has_axes = attribute(node, "mode", "constant"), len(node.input) > 3 and bool(node.input[3])
    pairs = [(max(before, 0), max(after, 0)) for before, after in amounts]
    is_plain = pairs == amounts and not has_axes
    if is_plain and (mode in ("constant", "reflect") or (mode == "edge" and _is_of_a_picture(pairs))):
        return
    made = _cropped(write, node.input[0], shape, amounts)
    sizes = [size + min(a, 0) + min(b, 0) for size, (a, b) in zip(shape, amounts, strict=True)]
    if mode in ("constant", "reflect"):
        value = [node.input[2]] if len(node.input) > 2 and node.input[2] else []
        flat = write.places(*[a for a, _ in pairs], *[b for _, b in pairs])
        write("Pad", made, flat, *value, mode=mode)
        return
    for axis, pair in enumerate(pairs):
        if any(pair):
            made = (_wrapped if mode == "wrap" else _repeated)(write, made, axis, sizes[axis], pair)
    if not write.made:
        write("Identity", made)


def _amounts(graph: OnnxGraph, node: Any) -> list[Pair] | None:
    """(before, after) of every axis; None where they are computed."""
    shape, flat = graph.shape(node.input[0]), graph.constants.get(node.input[1]) if len(node.input) > 1 else None
    if shape is None or flat is None:
        return None
    axes = range(len(shape))
    if len(node.input) > 3 and node.input[3]:
        named = graph.constants.get(node.input[3])
        if named is None:
            return None
        axes = [int(axis) % len(shape) for axis in named]  # type: ignore[assignment]
    amounts = [(0, 0)] * len(shape)
    for place, axis in enumerate(axes):
        amounts[axis] = (int(flat[place]), int(flat[place + len(axes)]))
    return amounts


def _is_of_a_picture(pairs: list[Pair]) -> bool:
    return len(pairs) == 4 and not any(pairs[0]) and not any(pairs[1])


def _cropped(write: Writer, x: str, shape: tuple[int, ...], amounts: list[Pair]) -> str:
    for axis, (before, after) in enumerate(amounts):
        if before < 0 or after < 0:
            x = write.part(x, axis, max(-before, 0), shape[axis] + min(after, 0))
    return x


def _wrapped(write: Writer, x: str, axis: int, size: int, pair: Pair) -> str:
    """As if the picture went on with itself."""
    places = np.arange(-pair[0], size + pair[1]) % size
    if max(pair) > size:
        return write("Gather", x, write.array(places), axis=axis)
    before = [write.part(x, axis, size - pair[0], size)] if pair[0] else []
    after = [write.part(x, axis, 0, pair[1])] if pair[1] else []
    return write("Concat", *before, x, *after, axis=axis)


def _repeated(write: Writer, x: str, axis: int, size: int, pair: Pair) -> str:
    first = [write.part(x, axis, 0, 1)] * pair[0]
    last = [write.part(x, axis, size - 1, size)] * pair[1]
    return write("Concat", *first, x, *last, axis=axis)


BORDERS: dict[str, Rule] = {"Pad": _padded}
