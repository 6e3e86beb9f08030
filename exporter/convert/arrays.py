"""Operators that name axes: they work in whatever order a tensor is held and only look up where their axis is."""

from __future__ import annotations

from math import isqrt, prod
from typing import Any

import numpy as np

from exporter.convert.builder import Order, Translation, Translator, Untranslatable, integers, one_axis
from exporter.graph.onnx_editor import attribute

HIGHEST_RANK = 4  # of delegates
HALF_PRECISION_TERMS = 2048  # half precision has 11 bits: a longer sum of equals no longer grows by what is added


def transpose(work: Translation, node: Any) -> None:
    """Nothing happens: the same tensors, their axes called otherwise."""
    rank = len(work.sizes(node, node.input[0]))
    perm = integers(node, "perm", list(range(rank))[::-1])
    work.order(node)
    forms = work.forms[node.input[0]]
    work.forms[node.output[0]] = {tuple(perm.index(axis) for axis in order): index for order, index in forms.items()}


def reshape(work: Translation, node: Any) -> None:
    """Axes that are split or joined must be neighbours; then the order of all others stays."""
    source, target = work.sizes(node, node.input[0]), work.sizes(node, node.output[0])
    groups = _matching_groups(source, target)
    order = _neighbourly(work.order(node), [before for before, _ in groups], source)
    index = work.held(node, 0, order)
    places = {axis: place for place, axis in enumerate(order) if source[axis] > 1}

    def place(group: tuple[Order, Order]) -> int:
        return min((places[axis] for axis in group[0] if axis in places), default=-1)

    made = tuple(axis for group in sorted(groups, key=place) for axis in group[1])
    work.forms[node.output[0]] = {made: work.reshaped(index, tuple(target[axis] for axis in made))}


def _matching_groups(source: tuple[int, ...], target: tuple[int, ...]) -> list[tuple[Order, Order]]:
    """The smallest runs of axes that hold the same number of elements on both sides."""
    groups: list[tuple[Order, Order]] = []
    i = j = 0
    while i < len(source) or j < len(target):
        first, second = i, j
        i, j = min(i + 1, len(source)), min(j + 1, len(target))
        while (a := prod(source[first:i])) != (b := prod(target[second:j])):
            i, j = (i + 1, j) if a < b else (i, j + 1)
        groups.append((tuple(range(first, i)), tuple(range(second, j))))
    return groups


def _neighbourly(order: Order, groups: list[Order], sizes: tuple[int, ...]) -> Order:
    """`order` when each group's axes stand together and ascending in it, else the nearest in which they do."""
    standing = [axis for axis in order if sizes[axis] > 1]
    wanted = [[axis for axis in group if sizes[axis] > 1] for group in groups]
    together = all(not group or _follows(standing, group) for group in wanted)
    if together:
        return order
    last = [max((standing.index(axis) for axis in group), default=-1) for group in wanted]
    return tuple(axis for _, group in sorted(zip(last, groups, strict=True)) for axis in group)


def _follows(standing: list[int], group: list[int]) -> bool:
    start = standing.index(group[0])
    return standing[start : start + len(group)] == group


def concatenation(work: Translation, node: Any) -> None:
    first = next(place for place, name in enumerate(node.input) if name not in work.source.constants)
    order = work.order(node, first)
    axis = order.index(one_axis(node, attribute(node, "axis"), len(order)))
    inputs = [work.operand(node, place, order) for place in range(len(node.input))]
    out = work.result(node, order=order)
    work.emit("CONCATENATION", inputs, [out], "ConcatenationOptions", axis=axis, fusedActivationFunction=0)


def split(work: Translation, node: Any) -> None:
    order = work.order(node)
    axis = order.index(one_axis(node, attribute(node, "axis", 0), len(order)))
    wanted = [work.result(node, place, order) for place in range(len(node.output))]
    sizes = [work.target.shape(out)[axis] for out in wanted]
    picture, outputs = work.held(node, 0, order), wanted
    if len(order) > HIGHEST_RANK:
        shape = work.target.shape(picture)
        before, after = prod(shape[:axis]), prod(shape[axis + 1 :])
        picture, axis = work.reshaped(picture, (before, shape[axis], after)), 1
        outputs = [work.between(node, f"part{n}", (before, size, after)) for n, size in enumerate(sizes)]
    place = work.stored(f"{node.output[0]}_axis", np.array(axis, np.int32))
    if len(set(sizes)) == 1:
        work.emit("SPLIT", [place, picture], outputs, "SplitOptions", numSplits=len(outputs))
    else:
        lengths = work.stored(f"{node.output[0]}_sizes", np.array(sizes, np.int32))
        work.emit("SPLIT_V", [picture, lengths, place], outputs, "SplitVOptions", numSplits=len(outputs))
    for made, out in zip(outputs, wanted, strict=True):
        if made != out:
            work.reshaped(made, work.target.shape(out), out)


def cut(work: Translation, node: Any) -> None:
    """Slice with constant bounds and steps forwards."""
    starts, ends = work.constant(node, 1), work.constant(node, 2)
    axes = work.constant(node, 3, np.arange(len(starts)))
    steps = work.constant(node, 4, np.ones(len(starts), np.int64))
    if np.any(steps < 1):
        raise Untranslatable(node, f"its steps {steps.tolist()} go backwards")
    order = work.order(node)
    picture, out = work.held(node, 0, order), work.result(node, order=order)
    whole, size = work.target.shape(picture), work.target.shape(out)
    begin, stride = [0] * len(order), [1] * len(order)
    for start, end, axis, step in zip(starts.tolist(), ends.tolist(), axes.tolist(), steps.tolist(), strict=True):
        del end  # the output's shape says the same
        place = order.index(one_axis(node, axis, len(order)))
        begin[place] = min(max(start + whole[place] if start < 0 else start, 0), whole[place])
        stride[place] = step
    first = work.stored(f"{node.output[0]}_begin", np.array(begin, np.int32))
    if max(stride) == 1:
        sizes = work.stored(f"{node.output[0]}_size", np.array(size, np.int32))
        work.emit("SLICE", [picture, first, sizes], [out], "SliceOptions")
        return
    ends_at = [b + (n - 1) * s + 1 for b, n, s in zip(begin, size, stride, strict=True)]
    numbers = [work.stored(f"{node.output[0]}_{word}", np.array(value, np.int32))
               for word, value in (("end", ends_at), ("steps", stride))]  # fmt: skip
    work.emit("STRIDED_SLICE", [picture, first, *numbers], [out], "StridedSliceOptions")


def gather(work: Translation, node: Any) -> None:
    """Constant places along one axis; one place alone drops the axis."""
    places = work.constant(node, 1)
    order = work.order(node)
    axis = one_axis(node, attribute(node, "axis", 0), len(order))
    place = order.index(axis)
    if places.ndim > 1:
        raise Untranslatable(node, f"its places have shape {places.shape}, not one axis")
    chosen = np.where(places < 0, places + work.sizes(node, node.input[0])[axis], places).astype(np.int32)
    kept = order if places.ndim else tuple(a - (a > axis) for a in order if a != axis)
    stored = work.stored(f"{node.output[0]}_places", chosen)
    picture, out = work.held(node, 0, order), work.result(node, order=kept)
    if len(order) <= HIGHEST_RANK:
        work.emit("GATHER", [picture, stored], [out], "GatherOptions", axis=place)
        return
    shape = work.target.shape(picture)
    before, after = prod(shape[:place]), prod(shape[place + 1 :])
    flat = work.between(node, "flat", (before, chosen.size, after) if places.ndim else (before, after))
    inputs = [work.reshaped(picture, (before, shape[place], after)), stored]
    work.emit("GATHER", inputs, [flat], "GatherOptions", axis=1)
    work.reshaped(flat, work.target.shape(out), out)


def softmax(work: Translation, node: Any) -> None:
    order = work.order(node)
    axis = one_axis(node, attribute(node, "axis", -1), len(order))
    last = (*(a for a in order if a != axis), axis)
    picture = work.held(node, 0, last)
    work.emit("SOFTMAX", [picture], [work.result(node, order=last)], "SoftmaxOptions", beta=1.0)


def reduction(work: Translation, node: Any) -> None:
    order = work.order(node)
    rank = len(order)
    if node.op_type == "GlobalAveragePool":
        axes = list(range(2, rank))
    elif len(node.input) > 1 and node.input[1]:
        axes = [one_axis(node, int(axis), rank) for axis in work.constant(node, 1)]
    else:
        axes = [one_axis(node, axis, rank) for axis in integers(node, "axes", list(range(rank)))]
    keep = bool(attribute(node, "keepdims", 1))
    left = [axis for axis in range(rank) if axis not in axes]
    made = order if keep else tuple(left.index(axis) for axis in order if axis in left)
    picture, places = work.held(node, 0, order), sorted(order.index(axis) for axis in axes)
    if node.op_type != "ReduceSum" and len(places) == 1:
        picture = _halfway(work, node, picture, places[0])
    steps = [places]
    if node.op_type != "ReduceSum" and prod(work.target.shape(picture)[p] for p in places) > HALF_PRECISION_TERMS:
        steps = [[place] for place in reversed(places)]  # means of means: no partial sum leaves half precision
    for number, step in enumerate(steps):
        shape = [1 if place in step else size for place, size in enumerate(work.target.shape(picture))]
        last = number == len(steps) - 1
        out = work.result(node, order=made) if last else work.between(node, f"mean{number}", tuple(shape))
        inputs = [picture, work.stored(f"{node.output[0]}_axes{number}", np.array(step, np.int32))]
        kind = "SUM" if node.op_type == "ReduceSum" else "MEAN"
        if last and not keep and len(steps) > 1:
            kept = work.between(node, "kept", tuple(shape))
            work.emit(kind, inputs, [kept], "ReducerOptions", keepDims=True)
            work.reshaped(kept, work.target.shape(out), out)
            return
        work.emit(kind, inputs, [out], "ReducerOptions", keepDims=keep or not last)
        picture = out


def _halfway(work: Translation, node: Any, picture: int, place: int) -> int:
    """One long axis, such as the pixels of a plane: means of about as many parts as each part has numbers."""
    shape = work.target.shape(picture)
    parts = next((n for n in range(isqrt(shape[place]), 1, -1) if shape[place] % n == 0), 1)
    if shape[place] <= HALF_PRECISION_TERMS or parts == 1:
        return picture
    rows = (prod(shape[:place]), parts, shape[place] // parts, prod(shape[place + 1 :]))
    means = work.between(node, "means_of_parts", (rows[0], parts, 1, rows[3]))
    inputs = [work.reshaped(picture, rows), work.stored(f"{node.output[0]}_part", np.array([2], np.int32))]
    work.emit("MEAN", inputs, [means], "ReducerOptions", keepDims=True)
    return work.reshaped(means, (*shape[:place], parts, *shape[place + 1 :]))


def tiled(work: Translation, node: Any) -> None:
    """Expand: axes of size 1 repeated."""
    target, order = work.sizes(node, node.output[0]), work.order(node)
    if len(order) != len(target):
        order = tuple(range(len(target)))
    picture, out = work.operand(node, 0, order), work.result(node, order=order)
    pairs = zip(work.target.shape(out), work.target.shape(picture), strict=True)
    times = work.stored(f"{node.output[0]}_times", np.array([a // b for a, b in pairs], np.int32))
    work.emit("TILE", [picture, times], [out], "TileOptions")


def identity(work: Translation, node: Any) -> None:
    work.order(node)
    work.forms[node.output[0]] = work.forms[node.input[0]]


ARRAYS: dict[str, Translator] = {
    "Transpose": transpose,
    "Reshape": reshape,
    "Flatten": reshape,
    "Squeeze": reshape,
    "Unsqueeze": reshape,
    "Concat": concatenation,
    "Split": split,
    "Slice": cut,
    "Gather": gather,
    "Softmax": softmax,
    "ReduceMean": reduction,
    "ReduceSum": reduction,
    "GlobalAveragePool": reduction,
    "Expand": tiled,
    "Identity": identity,
    "Dropout": identity,
}
