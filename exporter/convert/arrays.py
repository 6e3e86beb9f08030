"""Operators that name axes: they work in whatever order a tensor is held and only look up where their axis is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np

from exporter.convert.builder import HIGHEST_RANK, Order, Translation, Translator, Untranslatable, integers, one_axis
from exporter.convert.reductions import HALF_PRECISION_TERMS
from exporter.graph.axes import matching_groups
from exporter.graph.onnx_editor import attribute
from exporter.passes.onnx.recurrent import MOST_STEPS


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
    groups = matching_groups(source, target)
    order = _neighbourly(work.order(node), [before for before, _ in groups], source)
    index = work.held(node, 0, order)
    places = {axis: place for place, axis in enumerate(order) if source[axis] > 1}

    def place(group: tuple[Order, Order]) -> int:
        return min((places[axis] for axis in group[0] if axis in places), default=-1)

    made = tuple(axis for group in sorted(groups, key=place) for axis in group[1])
    work.forms[node.output[0]] = {made: work.reshaped(index, tuple(target[axis] for axis in made))}


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
    made = out
    if len(order) > HIGHEST_RANK:
        shape = work.target.shape(out)
        before, after = prod(shape[:axis]), prod(shape[axis + 1 :])
        inputs = [work.reshaped(index, (before, work.target.shape(index)[axis], after)) for index in inputs]
        made, axis = work.between(node, "flat", (before, shape[axis], after)), 1
    work.emit("CONCATENATION", inputs, [made], "ConcatenationOptions", axis=axis, fusedActivationFunction=0)
    if made != out:
        work.reshaped(made, work.target.shape(out), out)


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


def softmax(work: Translation, node: Any) -> None:
    """Along an axis that is not the last one, number by number: it costs what a transposition would."""
    order = work.order(node)
    axis = one_axis(node, attribute(node, "axis", -1), len(order))
    sizes = work.sizes(node, node.input[0])
    behind = [a for a in order[order.index(axis) + 1 :] if sizes[a] > 1]
    if behind and sizes[axis] <= HALF_PRECISION_TERMS:
        _written_out_softmax(work, node, order, order.index(axis))
        return
    last = (*(a for a in order if a != axis), axis)
    with _last_axis_apart(work, work.held(node, 0, last), work.result(node, order=last)) as (picture, out):
        work.emit("SOFTMAX", [picture], [out], "SoftmaxOptions", beta=1.0)


def _written_out_softmax(work: Translation, node: Any, order: Order, place: int) -> None:
    """exp(x - max) / sum, whatever comes behind the axis; rank 3 at most."""
    picture, out = work.held(node, 0, order), work.result(node, order=order)
    shape = work.target.shape(picture)
    flat = (prod(shape[:place]), shape[place], prod(shape[place + 1 :]))
    few = (flat[0], 1, flat[2])
    axis = work.stored(f"{node.output[0]}_axis", np.array([1], np.int32))
    words = {"largest": few, "below": flat, "powers": flat, "sum": few, "parts": flat}
    largest, below, powers, total, parts = (work.between(node, word, size) for word, size in words.items())
    flattened = work.reshaped(picture, flat)
    work.emit("REDUCE_MAX", [flattened, axis], [largest], "ReducerOptions", keepDims=True)
    work.emit("SUB", [flattened, largest], [below], "SubOptions", fusedActivationFunction=0)
    work.emit("EXP", [below], [powers], "ExpOptions")
    work.emit("SUM", [powers, axis], [total], "ReducerOptions", keepDims=True)
    work.emit("DIV", [powers, total], [parts], "DivOptions", fusedActivationFunction=0)
    work.reshaped(parts, shape, out)


@contextmanager
def _last_axis_apart(work: Translation, picture: int, *outs: int) -> Iterator[tuple[int, ...]]:
    """Tensors with the same axes but for the last one, of rank 4 at most."""
    shape = work.target.shape(picture)
    if len(shape) <= HIGHEST_RANK:
        yield picture, *outs
        return
    rows = (prod(shape[: 1 - HIGHEST_RANK]), *shape[1 - HIGHEST_RANK : -1])
    made = [work.flat_like(out, (*rows, work.target.shape(out)[-1])) for out in outs]
    yield work.reshaped(picture, (*rows, shape[-1])), *made
    for flat, out in zip(made, outs, strict=True):
        work.reshaped(flat, work.target.shape(out), out)


def tiled(work: Translation, node: Any) -> None:
    """Expand: axes of size 1 repeated."""
    target, order = work.sizes(node, node.output[0]), work.order(node)
    if len(order) != len(target):
        order = tuple(range(len(target)))
    picture, out = work.operand(node, 0, order), work.result(node, order=order)
    whole = work.target.shape(out)
    shape = work.target.shape(picture) or (1,) * len(whole)
    _repeated(work, node, work.reshaped(picture, shape), [a // b for a, b in zip(whole, shape, strict=True)], out)


def repeated(work: Translation, node: Any) -> None:
    """Tile: whole axes over and over."""
    order, repeats = work.order(node), work.constant(node, 1)
    out = work.result(node, order=order)
    _repeated(work, node, work.held(node, 0, order), [int(repeats[axis]) for axis in order], out)


def _repeated(work: Translation, node: Any, picture: int, times: list[int], out: int) -> None:
    """Beyond rank 4 one axis after the other."""
    if len(times) <= HIGHEST_RANK:
        stored = work.stored(f"{node.output[0]}_times", np.array(times, np.int32))
        work.emit("TILE", [picture, stored], [out], "TileOptions")
        return
    for axis in [place for place in reversed(range(len(times))) if times[place] > 1]:
        picture = work.repeated(picture, axis, times[axis])
    work.reshaped(picture, work.target.shape(out), out)


def largest(work: Translation, node: Any) -> None:
    """TopK: the largest along one axis, from the largest down; the smallest are the largest of the opposite numbers."""
    order = work.order(node)
    axis = one_axis(node, attribute(node, "axis", -1), len(order))
    last = (*(a for a in order if a != axis), axis)
    outs = (work.result(node, 0, last), work.result(node, 1, last, "INT32"))
    count = work.stored(f"{node.output[0]}_count", work.constant(node, 1).reshape(()).astype(np.int32))
    with _last_axis_apart(work, work.held(node, 0, last), *outs) as (picture, found, places):
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
    picture, out = work.held(node, 0, order), work.result(node, order=order)
    shape, made = work.target.shape(picture), out
    if len(shape) > HIGHEST_RANK:
        rows = (prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :]))
        picture, made, axis = work.reshaped(picture, rows), work.flat_like(out, rows), 1
    inputs = [picture, work.stored(f"{node.output[0]}_axis", np.array(axis, np.int32))]
    options = {word: bool(attribute(node, word, 0)) for word in ("exclusive", "reverse")}
    work.emit("CUMSUM", inputs, [made], "CumsumOptions", **options)
    if made != out:
        work.reshaped(made, shape, out)


def identity(work: Translation, node: Any) -> None:
    work.order(node)
    work.forms[node.output[0]] = work.forms[node.input[0]]


def in_training(work: Translation, node: Any) -> None:
    raise Untranslatable(node, "it drops numbers at random, as in training; call eval() on the network")


def loop(work: Translation, node: Any) -> None:
    """What `passes/onnx/recurrent.py` has left."""
    steps = (work.source.shape(node.input[0]) or (0,))[0]
    if steps > MOST_STEPS:
        raise Untranslatable(node, f"its {steps} steps would be written out one by one, and {MOST_STEPS} are the most")
    raise Untranslatable(node, "its activations or the lengths of its sequences are none that can be written out")


ARRAYS: dict[str, Translator] = {
    "Transpose": transpose,
    "Reshape": reshape,
    "Flatten": reshape,
    "Squeeze": reshape,
    "Unsqueeze": reshape,
    "Concat": concatenation,
    "Split": split,
    "Softmax": softmax,
    "Expand": tiled,
    "Tile": repeated,
    "TopK": largest,
    "CumSum": running_sum,
    "Identity": identity,
    "Dropout": in_training,
    "GRU": loop,
    "LSTM": loop,
    "RNN": loop,
}
