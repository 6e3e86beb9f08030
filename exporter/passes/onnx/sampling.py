"""Pictures read at computed places: GridSample, AffineGrid and DeformConv, by a GATHER of each neighbour.

A place that is constant leaves constant neighbours and weights: only GATHER, MUL and ADD remain of it.
Jaderberg, Simonyan, Zisserman, Kavukcuoglu, "Spatial Transformer Networks", 2015; Dai et al., "Deformable Convolutional
Networks", 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np

from exporter.graph.onnx_editor import OnnxGraph, attribute
from exporter.passes.onnx.window import window_of
from exporter.passes.onnx.writer import Rule, Writer

CUBIC = -0.75
Tap = tuple[str, str]  # (whole place, weight), each (1, points)


def _grid_sampled(write: Writer, graph: OnnxGraph, node: Any) -> None:
    shape, grid = graph.shape(node.input[0]), graph.shape(node.input[1])
    if shape is None or grid is None:
        return
    batch, channels, *size = shape
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(found := attribute(node, "mode", "linear"), found)
    padding, corners = attribute(node, "padding_mode", "zeros"), bool(attribute(node, "align_corners", 0))
    rank, points = len(size), prod(grid[:-1])
    taps = []
    for axis in range(rank):  # the last number of a place is of the first axis
        flat = write.reshaped(write.part(node.input[1], rank + 1, rank - 1 - axis, rank - axis), 1, points)
        taps.append(_taps(write, _unnormalised(write, flat, size[axis], corners), size[axis], mode, padding, corners))
    table = write.reshaped(_batch_second(write, node.input[0], batch, rank), channels, batch * prod(size))
    sampled = _weighted(write, table, size, taps, _offsets(write, batch, points, prod(size)), points)
    made = write.reshaped(sampled, channels, batch, *grid[1:-1])
    if batch == 1:
        write.reshaped(made, batch, channels, *grid[1:-1])
    else:
        _batch_second(write, made, batch, rank)


def _batch_second(write: Writer, x: str, batch: int, rank: int) -> str:
    return x if batch == 1 else write("Transpose", x, perm=[1, 0, *range(2, 2 + rank)])


def _offsets(write: Writer, batch: int, points: int, pixels: int) -> str | None:
    """Where each point's own picture of a batch begins."""
    if batch == 1:
        return None
    return write.array(np.repeat(np.arange(batch, dtype=np.float32) * pixels, points // batch)[None])


def _unnormalised(write: Writer, place: str, size: int, corners: bool) -> str:
    """From -1..1 to pixels."""
    factor = (size - 1) / 2 if corners else size / 2
    return write("Add", write("Mul", place, write.number(factor)), write.number((size - 1) / 2))


def _taps(write: Writer, place: str, size: int, mode: str, padding: str, corners: bool) -> list[Tap]:
    """The neighbours along one axis."""
    if mode != "cubic" and padding != "zeros":
        place = _kept_inside(write, place, size, padding, corners)
    if mode == "nearest":
        return [_seen(write, write("Round", place), None, size, padding)]
    low = write("Floor", place)
    ratio = write("Sub", place, low)
    if mode == "linear":
        shares = [write("Sub", write.number(1), ratio), ratio]
        return [_seen(write, _moved(write, low, n), share, size, padding) for n, share in enumerate(shares)]
    taps = []
    for offset, share in zip((-1, 0, 1, 2), _cubic_shares(write, ratio), strict=True):
        whole = _moved(write, low, offset)
        if padding != "zeros":
            whole = _kept_inside(write, whole, size, padding, corners)
        taps.append(_seen(write, whole, share, size, padding))
    return taps


def _moved(write: Writer, place: str, amount: int) -> str:
    return write("Add", place, write.number(amount)) if amount else place


def _cubic_shares(write: Writer, ratio: str) -> list[str]:
    """Keys, "Cubic convolution interpolation for digital image processing", 1981."""

    def polynomial(x: str, *factors: float) -> str:
        made = write.number(factors[0])
        for factor in factors[1:]:
            made = write("Add", write("Mul", made, x), write.number(factor))
        return made

    rest = write("Sub", write.number(1), ratio)
    far, near = (CUBIC, -5 * CUBIC, 8 * CUBIC, -4 * CUBIC), (CUBIC + 2, -(CUBIC + 3), 0.0, 1.0)
    beyond = [write("Add", x, write.number(1)) for x in (ratio, rest)]
    return [
        polynomial(beyond[0], *far), polynomial(ratio, *near), polynomial(rest, *near), polynomial(beyond[1], *far),
    ]  # fmt: skip


def _kept_inside(write: Writer, place: str, size: int, padding: str, corners: bool) -> str:
    if padding == "reflection":
        low, span = (0.0, float(size - 1)) if corners else (-0.5, float(size))
        if span == 0:
            place = write("Mul", place, write.number(0))
        else:
            away = write("Abs", write("Sub", place, write.number(low)))
            turns = write("Floor", write("Mul", away, write.number(1 / (2 * span))))
            rest = write("Sub", away, write("Mul", turns, write.number(2 * span)))
            back = write("Abs", write("Sub", rest, write.number(span)))
            place = write("Sub", write.number(span + low), back)
    return write("Min", write("Max", place, write.number(0)), write.number(size - 1))


def _seen(write: Writer, whole: str, share: str | None, size: int, padding: str) -> Tap:
    """A neighbour inside the picture; one outside weighs nothing."""
    inside = write("Min", write("Max", whole, write.number(0)), write.number(size - 1))
    if padding == "zeros":
        seen = write("Cast", write("Equal", inside, whole), to=1)
        share = seen if share is None else write("Mul", share, seen)
    return inside, share or ""


def _weighted(
    write: Writer, table: str, size: Sequence[int], taps: list[list[Tap]], offsets: str | None, points: int
) -> str:
    """(channels, points) of a table (channels, pixels): the sum over all neighbours of the axes' weights' product."""
    total = ""
    for neighbours in product(*taps):
        place, weight = "", ""
        for (whole, share), pixels in zip(neighbours, size, strict=True):
            place = write("Add", write("Mul", place, write.number(pixels)), whole) if place else whole
            weight = write("Mul", weight, share) if weight and share else weight or share
        if offsets is not None:
            place = write("Add", place, offsets)
        index = write("Cast", write.reshaped(place, points), to=7)
        part = write("Gather", table, index, axis=1)
        part = write("Mul", part, weight) if weight else part
        total = write("Add", total, part) if total else part
    return total


def _affine_grid(write: Writer, graph: OnnxGraph, node: Any) -> None:
    sizes = graph.constants.get(node.input[1])
    if sizes is None:
        return
    batch, _, *size = (int(n) for n in sizes)
    steps = [np.linspace(-1, 1, n) if attribute(node, "align_corners", 0) else (2 * np.arange(n) + 1) / n - 1
             for n in size]  # fmt: skip
    places = np.meshgrid(*steps, indexing="ij")[::-1]
    points = np.stack([*places, np.ones(size)], -1).reshape(1, -1, len(size) + 1).astype(np.float32)
    made = write("MatMul", write.array(points), write("Transpose", node.input[0], perm=[0, 2, 1]))
    write.reshaped(made, batch, *size, len(size))


def _deformed(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """The columns of a convolution are read at computed places, then multiplied by its weights."""
    shape, weights, window = graph.shape(node.input[0]), graph.shape(node.input[1]), window_of(graph, node)
    if shape is None or weights is None or window is None or len(shape) != 4:
        return
    pictures = [
        _deformed_picture(write, node, [write.part(name, 0, n, n + 1) if name and shape[0] > 1 else name
                                        for name in (node.input[0], node.input[2], (*node.input, "", "")[4])],
                          shape, weights, window)
        for n in range(shape[0])
    ]  # fmt: skip
    made = pictures[0] if len(pictures) == 1 else write("Concat", *pictures, axis=0)
    if len(node.input) > 3 and node.input[3]:
        write("Add", made, write.reshaped(node.input[3], weights[0], 1, 1))


def _deformed_picture(
    write: Writer, node: Any, inputs: list[str], shape: tuple[int, ...], weights: tuple[int, ...], window: Any
) -> str:
    """(1, O, H, W) of one picture, its offsets and its mask."""
    picture, offset, mask = inputs
    taps, pixels = prod(window.kernel), prod(window.made)
    deformed, groups = attribute(node, "offset_group", 1), attribute(node, "group", 1)
    moves = write.reshaped(offset, deformed, taps, 2, pixels)
    columns = []
    for number in range(deformed):
        own = moves if deformed == 1 else write.part(moves, 0, number, number + 1)
        neighbours = []
        for axis in (0, 1):
            start = np.arange(window.made[axis]) * window.strides[axis] - window.before[axis]
            tap = np.arange(window.kernel[axis]) * window.dilations[axis]
            regular = np.zeros((*window.kernel, *window.made), np.float32)
            regular += start.reshape((-1, 1) if axis == 0 else (1, -1))
            regular += tap.reshape((-1, 1, 1, 1) if axis == 0 else (1, -1, 1, 1))
            moved = write.reshaped(write.part(own, 2, axis, axis + 1), 1, taps * pixels)
            place = write("Add", moved, write.array(regular.reshape(1, -1)))
            neighbours.append(_taps(write, place, shape[2 + axis], "linear", "zeros", False))
        each = shape[1] // deformed
        planes = picture if deformed == 1 else write.part(picture, 1, number * each, (number + 1) * each)
        table = write.reshaped(planes, each, prod(shape[2:]))
        sampled = _weighted(write, table, shape[2:], neighbours, None, taps * pixels)
        if mask:
            factors = write.reshaped(mask, deformed, taps * pixels)
            sampled = write("Mul", sampled, factors if deformed == 1 else write.part(factors, 0, number, number + 1))
        columns.append(sampled)
    joined = columns[0] if deformed == 1 else write("Concat", *columns, axis=0)
    rows = write.reshaped(joined, groups, weights[1] * taps, pixels)
    kernel = write.reshaped(node.input[1], groups, weights[0] // groups, weights[1] * taps)
    return write.reshaped(write("MatMul", kernel, rows), 1, weights[0], *window.made)


SAMPLING: dict[str, Rule] = {"GridSample": _grid_sampled, "AffineGrid": _affine_grid, "DeformConv": _deformed}
