"""Operators that name axes: they work in whatever order a tensor is held and only look up where their axis is."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from exporter.convert.builder import HIGHEST_RANK, Order, Translation, Translator, Untranslatable, integers, one_axis
from exporter.graph.onnx_editor import Array, attribute

LARGEST_AXIS = 1 << 30


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
    inputs = [work.held(node, place, order) for place in range(len(node.input))]
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
    made = [a + more * (a > axis) for a in order]
    made[place : place + 1] = range(axis, axis + places.ndim)
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


def _gather_computed(work: Translation, node: Any) -> None:
    order, places = work.order(node), work.order(node, 1)
    axis = one_axis(node, attribute(node, "axis", 0), len(order))
    more = len(places) - 1
    made: list[int] = []
    for a in order:
        made += [axis + place for place in places] if a == axis else [a + more * (a > axis)]
    picture, where = work.held(node, 0, order), work.held(node, 1, places)
    if work.target.dtype(where) != "INT32":
        raise Untranslatable(node, "its places are no whole numbers")
    out = work.result(node, order=tuple(made), dtype=work.target.dtype(picture))
    work.emit("GATHER", [picture, where], [out], "GatherOptions", axis=order.index(axis))


def _take(work: Translation, node: Any, picture: int, place: int, places: Array, out: int) -> None:
    """Neighbours in their order are a SLICE, which every engine has in every format; others are a GATHER."""
    shape = work.target.shape(picture)
    if np.array_equal(places, np.arange(len(places)) + places[0]):
        begin = [int(places[0]) if axis == place else 0 for axis in range(len(shape))]
        numbers = [work.stored(f"{node.output[0]}_{word}", np.array(value, np.int32))
                   for word, value in (("begin", begin), ("size", work.target.shape(out)))]  # fmt: skip
        work.emit("SLICE", [picture, *numbers], [out], "SliceOptions")
        return
    stored = work.stored(f"{node.output[0]}_places{place}", places.astype(np.int32))
    work.emit("GATHER", [picture, stored], [out], "GatherOptions", axis=place)


def softmax(work: Translation, node: Any) -> None:
    order = work.order(node)
    axis = one_axis(node, attribute(node, "axis", -1), len(order))
    last = (*(a for a in order if a != axis), axis)
    picture = work.held(node, 0, last)
    work.emit("SOFTMAX", [picture], [work.result(node, order=last)], "SoftmaxOptions", beta=1.0)


def tiled(work: Translation, node: Any) -> None:
    """Expand: axes of size 1 repeated."""
    target, order = work.sizes(node, node.output[0]), work.order(node)
    if len(order) != len(target):
        order = tuple(range(len(target)))
    picture, out = work.operand(node, 0, order), work.result(node, order=order)
    pairs = zip(work.target.shape(out), work.target.shape(picture), strict=True)
    times = work.stored(f"{node.output[0]}_times", np.array([a // b for a, b in pairs], np.int32))
    work.emit("TILE", [picture, times], [out], "TileOptions")


def repeated(work: Translation, node: Any) -> None:
    """Tile: whole axes over and over."""
    order, repeats = work.order(node), work.constant(node, 1)
    times = work.stored(f"{node.output[0]}_times", np.array([int(repeats[axis]) for axis in order], np.int32))
    picture = work.held(node, 0, order)
    work.emit("TILE", [picture, times], [work.result(node, order=order)], "TileOptions")


def largest(work: Translation, node: Any) -> None:
    """TopK: the largest along one axis, from the largest down; the smallest are the largest of the opposite numbers."""
    order = work.order(node)
    axis = one_axis(node, attribute(node, "axis", -1), len(order))
    last = (*(a for a in order if a != axis), axis)
    picture, found = work.held(node, 0, last), work.result(node, 0, last)
    count = work.stored(f"{node.output[0]}_count", work.constant(node, 1).reshape(()).astype(np.int32))
    places = work.result(node, 1, last, "INT32")
    if attribute(node, "largest", 1):
        work.emit("TOPK_V2", [picture, count], [found, places], "TopKV2Options")
        return
    opposite = work.between(node, "opposite", work.target.shape(picture))
    negative = work.between(node, "negative", work.target.shape(found))
    work.emit("NEG", [picture], [opposite], "NegOptions")
    work.emit("TOPK_V2", [opposite, count], [negative, places], "TopKV2Options")
    work.emit("NEG", [negative], [found], "NegOptions")


def running_sum(work: Translation, node: Any) -> None:
    order = work.order(node)
    axis = order.index(one_axis(node, int(work.constant(node, 1).reshape(-1)[0]), len(order)))
    inputs = [work.held(node, 0, order), work.stored(f"{node.output[0]}_axis", np.array(axis, np.int32))]
    options = {word: bool(attribute(node, word, 0)) for word in ("exclusive", "reverse")}
    work.emit("CUMSUM", inputs, [work.result(node, order=order)], "CumsumOptions", **options)


def identity(work: Translation, node: Any) -> None:
    work.order(node)
    work.forms[node.output[0]] = work.forms[node.input[0]]


def in_training(work: Translation, node: Any) -> None:
    raise Untranslatable(node, "it drops numbers at random, as in training; call eval() on the network")


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
    "Expand": tiled,
    "Tile": repeated,
    "TopK": largest,
    "CumSum": running_sum,
    "Identity": identity,
    "Dropout": in_training,
}
