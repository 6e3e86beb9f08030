"""Operators that take some places of a tensor: boxes, every n-th, or a list."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from exporter.convert.builder import HIGHEST_RANK, Order, Translation, Translator, one_axis
from exporter.graph.onnx_editor import Array, attribute

LARGEST_AXIS = 1 << 30


def cut(work: Translation, node: Any) -> None:
    """Slice with constant bounds; an axis that is read backwards is gathered first."""
    starts, ends = work.constant(node, 1), work.constant(node, 2)
    axes = work.constant(node, 3, np.arange(len(starts)))
    steps = work.constant(node, 4, np.ones(len(starts), np.int64))
    order = work.order(node)
    picture, out = work.held(node, 0, order), work.result(node, order=order)
    if np.any(steps < 1):
        bounds = zip(starts.tolist(), ends.tolist(), axes.tolist(), steps.tolist(), strict=True)
        backwards = [(one_axis(node, axis, len(order)), slice(a, b, step)) for a, b, axis, step in bounds if step < 0]
        only = len(backwards) == len(steps)
        for number, (axis, part) in enumerate(backwards, 1):
            place = order.index(axis)
            shape = list(work.target.shape(picture))
            places = np.arange(shape[place])[_within(part)]
            shape[place] = len(places)
            is_last = only and number == len(backwards)
            made = out if is_last else work.between(node, f"gathered{place}", tuple(shape))
            _take(work, node, picture, place, places, made)
            picture = made
        if only:
            return
        starts, ends, axes, steps = (values[steps > 0] for values in (starts, ends, axes, steps))
    whole = work.target.shape(picture)
    begin, stride = [0] * len(order), [1] * len(order)
    for start, end, axis, step in zip(starts.tolist(), ends.tolist(), axes.tolist(), steps.tolist(), strict=True):
        del end  # the output's shape says the same
        place = order.index(one_axis(node, axis, len(order)))
        begin[place] = min(max(start + whole[place] if start < 0 else start, 0), whole[place])
        stride[place] = step
    _cut_box(work, node, picture, out, begin, stride)


def _cut_box(work: Translation, node: Any, picture: int, out: int, begin: list[int], stride: list[int]) -> None:
    """From `begin` as much as `out` holds; axes that stay whole go along with their neighbours beyond rank 4."""
    whole, size = work.target.shape(picture), work.target.shape(out)
    if len(whole) <= HIGHEST_RANK:
        _cut(work, node, picture, out, begin, stride)
        return
    runs: list[list[int]] = []
    for axis in range(len(whole)):
        stays = [whole[a] == size[a] and stride[a] == 1 for a in (*(runs[-1] if runs else []), axis)]
        if runs and all(stays):
            runs[-1].append(axis)
        else:
            runs.append([axis])
    if len(runs) > HIGHEST_RANK:  # the last axis by itself, then the others
        axis = next(axis for axis in reversed(range(len(whole))) if whole[axis] != size[axis] or stride[axis] > 1)
        shape = (*whole[:axis], size[axis], *whole[axis + 1 :])
        part = work.between(node, f"cut{axis}", shape)
        only = [start if place == axis else 0 for place, start in enumerate(begin)]
        _cut_box(work, node, picture, part, only, [step if place == axis else 1 for place, step in enumerate(stride)])
        begin[axis], stride[axis], picture = 0, 1, part
        _cut_box(work, node, picture, out, begin, stride)
        return
    flat = work.reshaped(picture, tuple(prod(whole[a] for a in run) for run in runs))
    made = work.between(node, "flat", tuple(prod(size[a] for a in run) for run in runs))
    _cut(work, node, flat, made, [begin[run[0]] for run in runs], [stride[run[0]] for run in runs])
    work.reshaped(made, size, out)


def _cut(work: Translation, node: Any, picture: int, out: int, begin: list[int], stride: list[int]) -> None:
    size = work.target.shape(out)
    first = work.stored(f"{node.output[0]}_begin", np.array(begin, np.int32))
    if max(stride) == 1:
        sizes = work.stored(f"{node.output[0]}_size", np.array(size, np.int32))
        work.emit("SLICE", [picture, first, sizes], [out], "SliceOptions")
        return
    ends_at = [b + (n - 1) * s + 1 for b, n, s in zip(begin, size, stride, strict=True)]
    numbers = [work.stored(f"{node.output[0]}_{word}", np.array(value, np.int32))
               for word, value in (("end", ends_at), ("steps", stride))]  # fmt: skip
    work.emit("STRIDED_SLICE", [picture, first, *numbers], [out], "StridedSliceOptions")


def _within(part: slice) -> slice:
    """ONNX ends before the first element with a very negative number, Python with None."""
    return slice(part.start, None if part.stop < -LARGEST_AXIS else part.stop, part.step)


def gather(work: Translation, node: Any) -> None:
    """Places along one axis; the axes of the places stand where the axis was, none for one place alone."""
    if node.input[1] in work.forms:
        _gather_computed(work, node)
        return
    places, order = work.constant(node, 1), work.order(node)
    axis = one_axis(node, attribute(node, "axis", 0), len(order))
    place, more = order.index(axis), places.ndim - 1
    chosen = np.where(places < 0, places + work.sizes(node, node.input[0])[axis], places).reshape(-1)
    grid = _as_they_lie(places)
    chosen = np.ascontiguousarray(chosen.reshape(places.shape).transpose(grid)).reshape(-1)
    made = [a + more * (a > axis) for a in order]
    made[place : place + 1] = [axis + own for own in grid]
    picture, out = work.held(node, 0, order), work.result(node, order=tuple(made))
    shape = work.target.shape(picture)
    before, after = prod(shape[:place]), prod(shape[place + 1 :])
    if len(order) > HIGHEST_RANK:
        picture, place, shape = work.reshaped(picture, (before, shape[place], after)), 1, (before, shape[place], after)
    taken = (*shape[:place], len(chosen), *shape[place + 1 :])
    direct = work.target.shape(out) == taken
    _take(work, node, picture, place, chosen, out if direct else (flat := work.between(node, "flat", taken)))
    if not direct:
        work.reshaped(flat, work.target.shape(out), out)


def _as_they_lie(places: Array) -> Order:
    """Axes of a grid of places, the one with the longest steps first: windows, then what is in them."""
    steps = [int(np.take(places, 1, axis).flat[0] - places.flat[0]) if size > 1 else 0
             for axis, size in enumerate(places.shape)]  # fmt: skip
    return tuple(sorted(range(places.ndim), key=lambda axis: -abs(steps[axis])))


def _gather_computed(work: Translation, node: Any) -> None:
    order, places = work.order(node), work.order(node, 1)
    axis = one_axis(node, attribute(node, "axis", 0), len(order))
    more = len(places) - 1
    made: list[int] = []
    for a in order:
        made += [axis + place for place in places] if a == axis else [a + more * (a > axis)]
    picture, where = work.held(node, 0, order), work.held(node, 1, places)
    if work.target.dtype(where) != "INT32":
        whole = work.target.add_tensor(f"{node.output[0]}_places", work.target.shape(where), "INT32")
        work.recast(where, whole)
        where = whole
    out, place = work.result(node, order=tuple(made), dtype=work.target.dtype(picture)), order.index(axis)
    shape, chosen, gathered = work.target.shape(picture), work.target.shape(where), out
    if len(made) > HIGHEST_RANK:
        before, after = prod(shape[:place]), prod(shape[place + 1 :])
        picture, where = work.reshaped(picture, (before, shape[place], after)), work.reshaped(where, (prod(chosen),))
        gathered, place = work.flat_like(out, (before, prod(chosen), after)), 1
    work.emit("GATHER", [picture, where], [gathered], "GatherOptions", axis=place)
    if gathered != out:
        work.reshaped(gathered, work.target.shape(out), out)


def _take(work: Translation, node: Any, picture: int, place: int, places: Array, out: int) -> None:
    """Places at one distance are a slice, which every engine has in every format; others are a GATHER."""
    shape = work.target.shape(picture)
    step = int(places[1] - places[0]) if len(places) > 1 else 1
    if step > 0 and np.array_equal(places, np.arange(len(places)) * step + places[0]):
        begin = [int(places[0]) if axis == place else 0 for axis in range(len(shape))]
        _cut_box(work, node, picture, out, begin, [step if axis == place else 1 for axis in range(len(shape))])
        return
    stored = work.stored(f"{node.output[0]}_places{place}", places.astype(np.int32))
    made = out
    if len(shape) > HIGHEST_RANK:
        before, after = prod(shape[:place]), prod(shape[place + 1 :])
        picture, made = (
            work.reshaped(picture, (before, shape[place], after)),
            work.flat_like(out, (before, len(places), after)),
        )
        place = 1
    work.emit("GATHER", [picture, stored], [made], "GatherOptions", axis=place)
    if made != out:
        work.reshaped(made, work.target.shape(out), out)


PLACES: dict[str, Translator] = {"Slice": cut, "Gather": gather}
