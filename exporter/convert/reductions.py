"""Operators that make one number of many along some axes."""

from __future__ import annotations

from math import isqrt, prod
from typing import Any

import numpy as np

from exporter.convert.builder import HIGHEST_RANK, Order, Translation, Translator, Untranslatable, integers, one_axis
from exporter.graph.onnx_editor import attribute

HALF_PRECISION_TERMS = 2048  # half precision has 11 bits: a longer sum of equals no longer grows by what is added
_KINDS = {
    "ReduceMean": "MEAN", "GlobalAveragePool": "MEAN", "ReduceSum": "SUM", "ReduceMax": "REDUCE_MAX",
    "ReduceMin": "REDUCE_MIN", "ReduceProd": "REDUCE_PROD",
}  # fmt: skip


def reduction(work: Translation, node: Any) -> None:
    order = work.order(node)
    rank = len(order)
    axes = _axes(work, node, rank)
    if not axes:
        work.forms[node.output[0]] = work.forms[node.input[0]]
        return
    keep = bool(attribute(node, "keepdims", 1))
    left = [axis for axis in range(rank) if axis not in axes]
    made = order if keep else tuple(left.index(axis) for axis in order if axis in left)
    picture, places = work.held(node, 0, order), sorted(order.index(axis) for axis in axes)
    if rank > HIGHEST_RANK and _of_fewer_axes(work, node, picture, places, made):
        return
    is_mean = _KINDS[node.op_type] == "MEAN"
    if is_mean and len(places) == 1:
        picture = _halfway(work, node, picture, places[0])
    steps = [places]
    if is_mean and prod(work.target.shape(picture)[p] for p in places) > HALF_PRECISION_TERMS:
        steps = [[place] for place in reversed(places)]  # means of means: no partial sum leaves half precision
    for number, step in enumerate(steps):
        shape = [1 if place in step else size for place, size in enumerate(work.target.shape(picture))]
        last = number == len(steps) - 1
        out = work.result(node, order=made) if last else work.between(node, f"mean{number}", tuple(shape))
        inputs = [picture, work.stored(f"{node.output[0]}_axes{number}", np.array(step, np.int32))]
        kind = _KINDS[node.op_type]
        if last and not keep and len(steps) > 1:
            kept = work.between(node, "kept", tuple(shape))
            work.emit(kind, inputs, [kept], "ReducerOptions", keepDims=True)
            work.reshaped(kept, work.target.shape(out), out)
            return
        work.emit(kind, inputs, [out], "ReducerOptions", keepDims=keep or not last)
        picture = out


def _of_fewer_axes(work: Translation, node: Any, picture: int, places: list[int], made: Order) -> bool:
    """Along one short axis, its neighbours on either side joined; whether it is one."""
    shape = work.target.shape(picture)
    standing = [place for place in places if shape[place] > 1]
    if len(standing) != 1 or shape[standing[0]] > HALF_PRECISION_TERMS:
        return False
    (place,) = standing
    before, after = shape[:place], shape[place + 1 :]
    flat = (prod(before[:-1]), *before[-1:], shape[place], prod(after))
    inputs = [work.reshaped(picture, flat), work.stored(f"{node.output[0]}_axis", np.array([len(flat) - 2], np.int32))]
    reduced = work.between(node, "reduced", (*flat[:-2], flat[-1]))
    work.emit(_KINDS[node.op_type], inputs, [reduced], "ReducerOptions", keepDims=False)
    out = work.result(node, order=made)
    work.reshaped(reduced, work.target.shape(out), out)
    return True


def _axes(work: Translation, node: Any, rank: int) -> list[int]:
    """All where none is named, unless the node says that none is meant."""
    if node.op_type == "GlobalAveragePool":
        return list(range(2, rank))
    has_input = len(node.input) > 1 and bool(node.input[1])
    named = work.constant(node, 1).tolist() if has_input else integers(node, "axes", [])
    if not named and not attribute(node, "noop_with_empty_axes", 0):
        named = list(range(rank))
    return [one_axis(node, int(axis), rank) for axis in named]


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


def place_of_extreme(work: Translation, node: Any) -> None:
    """ArgMax and ArgMin: where the first largest or smallest number of one axis stands."""
    if attribute(node, "select_last_index", 0):
        raise Untranslatable(node, "it asks for the last of several equals")
    order = work.order(node)
    axis = one_axis(node, attribute(node, "axis", 0), len(order))
    place, keep = order.index(axis), bool(attribute(node, "keepdims", 1))
    picture = work.held(node, 0, order)
    kept = order if keep else tuple(a - (a > axis) for a in order if a != axis)
    out = work.result(node, order=kept, dtype="INT32")
    kind, table = ("ARG_MAX", "ArgMaxOptions") if node.op_type == "ArgMax" else ("ARG_MIN", "ArgMinOptions")
    shape = work.target.shape(picture)
    name = f"{node.output[0]}_places"
    made = out if not keep else work.target.add_tensor(name, shape[:place] + shape[place + 1 :], "INT32")
    dimension = work.stored(f"{node.output[0]}_axis", np.array(place, np.int32))
    work.emit(kind, [picture, dimension], [made], table, outputType=work.target.schema.TensorType.INT32)
    if keep:
        work.reshaped(made, work.target.shape(out), out)


REDUCTIONS: dict[str, Translator] = {
    **dict.fromkeys(_KINDS, reduction),
    "ArgMax": place_of_extreme,
    "ArgMin": place_of_extreme,
}
