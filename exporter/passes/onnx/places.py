"""Numbers taken from and put to constant places: a box where they fill one, else one GATHER of rows."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from exporter.graph.onnx_editor import Array, OnnxGraph, attribute
from exporter.passes.onnx.writer import Rule, Writer

HIGHEST_RANK = 4  # of delegates
MOST_COMPARED = 1 << 24  # numbers
_REDUCTIONS = {
    "add": ("Add", 0.0),
    "mul": ("Mul", 1.0),
    "max": ("Max", float(np.finfo(np.float32).min)),
    "min": ("Min", float(np.finfo(np.float32).max)),
}


def _scattered(write: Writer, graph: OnnxGraph, node: Any) -> None:
    places, shape = graph.constants.get(node.input[1]), graph.shape(node.input[0])
    if places is None or shape is None or places.size == 0:
        return
    known = places.shape[-1]
    rows = np.where(places < 0, places + np.array(shape[:known]), places).reshape(-1, known)
    reduction = attribute(node, "reduction", "none")
    box = _box(rows)
    if reduction == "none" and box is not None:
        _assigned_to_a_box(write, graph, node, shape, [*box, *(range(side) for side in shape[known:])])
        return
    _put_to_rows(write, node, shape, np.ravel_multi_index(tuple(rows.T), shape[:known]), prod(shape[known:]))


def _scattered_elements(write: Writer, graph: OnnxGraph, node: Any) -> None:
    found = _elements(graph, node)
    if found is not None:
        _put_to_rows(write, node, graph.shape(node.input[0]) or (), found.reshape(-1), 1)
    else:
        _put_to_computed(write, graph, node)


def _box(rows: Array) -> list[range] | None:
    """The places of each axis, all at one distance, when `rows` are all that these make, in order."""
    sides = []
    for column in rows.T:
        places = np.unique(column)
        step = int(places[1] - places[0]) if len(places) > 1 else 1
        side = range(int(places[0]), int(places[-1]) + 1, step)
        if len(side) != len(places):
            return None
        sides.append(side)
    if prod(map(len, sides)) != len(rows):
        return None
    grid = np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, rows.shape[1])
    return sides if np.array_equal(grid, rows) else None


def _assigned_to_a_box(write: Writer, graph: OnnxGraph, node: Any, shape: tuple[int, ...], sides: list[range]) -> None:
    """y[:, 2:5] = z, or y[..., ::2] = z: what was there goes; zeros come around the new numbers, which are added."""
    there = graph.constants.get(node.input[0])
    named = [len(side) < whole for side, whole in zip(sides, shape, strict=True)]
    mask = np.ones([whole if is_named else 1 for whole, is_named in zip(shape, named, strict=True)], np.float32)
    parts = [np.array(side) if is_named else np.zeros(1, int) for side, is_named in zip(sides, named, strict=True)]
    mask[np.ix_(*parts)] = 0
    put, sizes = write.reshaped(node.input[2], *map(len, sides)), list(map(len, sides))
    for axis, side in enumerate(sides):
        if side.step > 1 and len(side) > 1:
            put = _spread_out(write, put, sizes, axis, side.step)
            if side.start + sizes[axis] > shape[axis]:
                sizes[axis] = shape[axis] - side.start
                put = write.part(put, axis, 0, sizes[axis])
    starts = [side.start for side in sides]
    after = [whole - start - size for whole, start, size in zip(shape, starts, sizes, strict=True)]
    put = write("Pad", put, write.places(*starts, *after))
    if there is None:
        write("Add", write("Mul", node.input[0], graph.add_constant(f"{node.output[0]}_mask", mask)), put)
    elif np.any(there * mask):
        write("Add", graph.add_constant(f"{node.output[0]}_kept", (there * mask).astype(np.float32)), put)


def _spread_out(write: Writer, x: str, sizes: list[int], axis: int, step: int) -> str:
    """Zeros behind each place of an axis, whose size is changed; in rank 4 where all before it is one picture."""
    shape = [*sizes[: axis + 1], 1, *sizes[axis + 1 :]]
    while len(shape) > HIGHEST_RANK and shape[0] == 1 and len(shape) > len(sizes) - axis + 1:
        shape.pop(0)
    if len(shape) > HIGHEST_RANK:
        shape = [prod(sizes[:axis]), sizes[axis], 1, prod(sizes[axis + 1 :])]
        place = 2
    else:
        place = len(shape) - (len(sizes) - axis)
    amounts = [0] * (2 * len(shape))
    amounts[len(shape) + place] = step - 1
    sizes[axis] *= step
    return write.reshaped(write("Pad", write.reshaped(x, *shape), write.places(*amounts)), *sizes)


def _put_to_computed(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """Where topk or argmax found: every place of the axis is compared with every place that is named."""
    shape, sizes, axis = graph.shape(node.input[0]), graph.shape(node.input[1]), attribute(node, "axis", 0)
    reduction = attribute(node, "reduction", "none")
    if shape is None or sizes is None or reduction not in ("none", "add"):
        return
    axis %= len(shape)
    others = [(a, b) for place, (a, b) in enumerate(zip(shape, sizes, strict=True)) if place != axis]
    if any(a != b for a, b in others) or prod(sizes) * shape[axis] > MOST_COMPARED:
        return
    after = write.places(axis + 1)
    line = np.arange(shape[axis], dtype=np.float32).reshape([-1, *[1] * (len(shape) - axis - 1)])
    named = write("Unsqueeze", write("Cast", node.input[1], to=1), after)
    hit = write("Cast", write("Equal", named, write.array(line)), to=1)
    put = write(
        "ReduceSum", write("Mul", hit, write("Unsqueeze", node.input[2], after)), write.places(axis), keepdims=0
    )
    there = graph.constants.get(node.input[0])
    if there is not None and not np.any(there):
        return
    if reduction == "add":
        write("Add", node.input[0], put)
        return
    any_hit = write("ReduceMax", hit, write.places(axis), keepdims=0)
    write("Where", write("Greater", any_hit, write.number(0.5)), put, node.input[0])


def _put_to_rows(write: Writer, node: Any, shape: tuple[int, ...], rows: Array, width: int) -> None:
    """Row `rows[n]` of the first input, seen as rows of `width` numbers, gets row n of the updates."""
    count = prod(shape) // width
    there, updates = write.reshaped(node.input[0], count, width), write.reshaped(node.input[2], len(rows), width)
    reduction = attribute(node, "reduction", "none")
    if reduction == "none":
        source = np.arange(count)
        source[rows] = count + np.arange(len(rows))  # the last of several wins
        there = write("Gather", write("Concat", there, updates, axis=0), write.array(source), axis=0)
    else:
        kind, nothing = _REDUCTIONS[reduction]
        padded = write("Concat", updates, write.array(np.full((1, width), nothing, np.float32)), axis=0)
        for turn in _one_a_row(rows, count):
            there = write(kind, there, write("Gather", padded, write.array(turn), axis=0))
    write.reshaped(there, *shape)


def _one_a_row(rows: Array, count: int) -> list[Array]:
    """(count,) places of updates, one for each row in each turn; their number where a row has none left."""
    turns: list[Array] = []
    seen = np.zeros(count, np.int64)
    for place, row in enumerate(rows):
        if seen[row] == len(turns):
            turns.append(np.full(count, len(rows)))
        turns[seen[row]][row] = place
        seen[row] += 1
    return turns


def _gathered(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """GatherND."""
    places, shape = graph.constants.get(node.input[1]), graph.shape(node.input[0])
    if places is None or shape is None:
        return
    batch, known = attribute(node, "batch_dims", 0), places.shape[-1]
    sizes = np.array(shape[batch : batch + known])
    index = np.moveaxis(np.where(places < 0, places + sizes, places), -1, 0)
    before = np.indices(places.shape[:-1])[:batch]
    rows = np.ravel_multi_index((*before, *index), shape[: batch + known])
    tail = shape[batch + known :]
    table = write.reshaped(node.input[0], prod(shape[: batch + known]), prod(tail))
    write.reshaped(write("Gather", table, write.array(rows.reshape(-1)), axis=0), *places.shape[:-1], *tail)


def _gathered_elements(write: Writer, graph: OnnxGraph, node: Any) -> None:
    found = _elements(graph, node)
    if found is None:
        _gathered_at_computed(write, graph, node)
    else:
        flat = write.reshaped(node.input[0], -1)
        write.reshaped(write("Gather", flat, write.array(found.reshape(-1)), axis=0), *found.shape)


def _gathered_at_computed(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """Places that topk, sort or argmax found: whole numbers from 0."""
    shape, sizes, axis = graph.shape(node.input[0]), graph.shape(node.input[1]), attribute(node, "axis", 0)
    if shape is None or sizes is None:
        return
    axis %= len(shape)
    others = list(np.indices(sizes))
    others[axis] = np.zeros(sizes, np.int64)
    start = np.ravel_multi_index(tuple(others), shape)
    moved = write("Mul", write("Cast", node.input[1], to=7), write.array(np.array(prod(shape[axis + 1 :]))))
    write("Gather", write.reshaped(node.input[0], -1), write("Add", moved, write.array(start)), axis=0)


def _elements(graph: OnnxGraph, node: Any) -> Array | None:
    """The place of each element in the flat first input, of ScatterElements and GatherElements."""
    places, shape = graph.constants.get(node.input[1]), graph.shape(node.input[0])
    if places is None or shape is None:
        return None
    axis = attribute(node, "axis", 0) % len(shape)
    index = list(np.indices(places.shape))
    index[axis] = np.where(places < 0, places + shape[axis], places)
    return np.asarray(np.ravel_multi_index(tuple(index), shape))


def _compressed(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """Compress with a constant condition."""
    wanted, axis = graph.constants.get(node.input[1]), attribute(node, "axis")
    if wanted is None:
        return
    x = node.input[0] if axis is not None else write.reshaped(node.input[0], -1)
    write("Gather", x, write.array(np.flatnonzero(wanted)), axis=0 if axis is None else axis)


def _folded(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """Col2Im, the sum of overlapping blocks: along each axis a product with zeros and ones."""
    image, block, shape = (graph.constants.get(node.input[1]), graph.constants.get(node.input[2]),
                           graph.shape(node.input[0]))  # fmt: skip
    if image is None or block is None or shape is None:
        return
    sizes, kernel, rank = image.tolist(), block.tolist(), len(image)
    strides, gaps = ([int(n) for n in attribute(node, word) or [1] * rank] for word in ("strides", "dilations"))
    pads = [int(n) for n in attribute(node, "pads") or [0] * 2 * rank]
    counts = [(sizes[a] + pads[a] + pads[a + rank] - gaps[a] * (kernel[a] - 1) - 1) // strides[a] + 1
              for a in range(rank)]  # fmt: skip
    planes, made = shape[0] * shape[1] // prod(kernel), node.input[0]
    done = 1
    for a in reversed(range(rank)):
        apart = write.reshaped(made, planes, prod(kernel[:a]), kernel[a], prod(counts[:a]), counts[a], done)
        rows = write("Transpose", apart, perm=[0, 1, 3, 5, 2, 4])
        rows = write.reshaped(rows, planes, prod(kernel[:a]) * prod(counts[:a]), done, kernel[a] * counts[a])
        place = np.arange(kernel[a])[:, None] * gaps[a] + np.arange(counts[a]) * strides[a] - pads[a]
        belongs = (place.reshape(-1, 1) == np.arange(sizes[a])).astype(np.float32)
        made = write("MatMul", rows, write.array(belongs))
        done *= sizes[a]
    whole = write.reshaped(made, planes, *reversed(sizes))
    turned = write("Transpose", whole, perm=[0, *range(rank, 0, -1)])
    write.reshaped(turned, shape[0], planes // shape[0], *sizes)


def _cropped_or_padded(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """CenterCropPad to a constant size."""
    shape, wanted = graph.shape(node.input[0]), graph.constants.get(node.input[1])
    if shape is None or wanted is None:
        return
    rank, made = len(shape), node.input[0]
    amounts = [0] * 2 * rank
    for axis, size in zip(attribute(node, "axes") or range(rank), wanted.tolist(), strict=True):
        axis %= rank
        missing = size - shape[axis]
        if missing < 0:
            made = write.part(made, axis, -missing // 2, -missing // 2 + size)
        elif missing:
            amounts[axis], amounts[axis + rank] = missing // 2, missing - missing // 2
    write("Pad", made, write.places(*amounts)) if any(amounts) else write("Identity", made)


PLACES: dict[str, Rule] = {
    "ScatterND": _scattered,
    "ScatterElements": _scattered_elements,
    "GatherND": _gathered,
    "GatherElements": _gathered_elements,
    "Compress": _compressed,
    "Col2Im": _folded,
    "CenterCropPad": _cropped_or_padded,
}
