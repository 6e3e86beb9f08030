"""Operators that make one number of many along some axes."""

from __future__ import annotations

from math import isqrt, prod
from typing import Any

import numpy as np

from exporter.convert.builder import HIGHEST_RANK, Translation, Translator, Untranslatable, integers, one_axis
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
    if _KINDS[node.op_type] == "MEAN" and len(places) == 1:
        picture = _halfway(work, node, picture, places[0])
    steps = _steps(node, work.target.shape(picture), places)
    for number, step in enumerate(steps[:-1]):
        picture = _reduced(work, node, picture, step, number)
    number, out = len(steps) - 1, work.result(node, order=made)
    if rank > HIGHEST_RANK:
        work.reshaped(_reduced(work, node, picture, steps[-1], number), work.target.shape(out), out)
        return
    last = steps[-1] if keep else places
    inputs = [picture, work.stored(f"{node.output[0]}_axes{number}", np.array(last, np.int32))]
    work.emit(_KINDS[node.op_type], inputs, [out], "ReducerOptions", keepDims=keep)


def _steps(node: Any, shape: tuple[int, ...], places: list[int]) -> list[list[int]]:
    """Places that are made one number together."""
    if _KINDS[node.op_type] == "MEAN" and prod(shape[place] for place in places) > HALF_PRECISION_TERMS:
        return [[place] for place in reversed(places)]  # means of means: no partial sum leaves half precision
    if len(shape) <= HIGHEST_RANK:
        return [places]
    runs: list[list[int]] = []
    for place in places:  # neighbours, so that all others can be joined
        if runs and all(shape[between] == 1 for between in range(runs[-1][-1] + 1, place)):
            runs[-1].append(place)
        else:
            runs.append([place])
    return runs


def _reduced(work: Translation, node: Any, picture: int, step: list[int], number: int) -> int:
    """`picture` with one number along the places of `step`, which stay; beyond rank 4 they are neighbours."""
    shape, places = work.target.shape(picture), step
    made = tuple(1 if place in step else size for place, size in enumerate(shape))
    inside = slice(step[0], step[-1] + 1)
    if len(shape) > HIGHEST_RANK:
        rows = (prod(shape[: inside.start]), prod(shape[inside]), prod(shape[inside.stop :]))
        picture, places = work.reshaped(picture, rows), [1]
        out = work.between(node, f"mean{number}", (rows[0], 1, rows[2]))
    else:
        out = work.between(node, f"mean{number}", made)
    inputs = [picture, work.stored(f"{node.output[0]}_axes{number}", np.array(places, np.int32))]
    work.emit(_KINDS[node.op_type], inputs, [out], "ReducerOptions", keepDims=True)
    return work.reshaped(out, made)


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
    """ArgMax, and ArgMin as that of the opposite numbers: where the first largest number of one axis stands."""
    if attribute(node, "select_last_index", 0):
        raise Untranslatable(node, "it asks for the last of several equals")
    order = work.order(node)
    axis = one_axis(node, attribute(node, "axis", 0), len(order))
    place, keep = order.index(axis), bool(attribute(node, "keepdims", 1))
    picture = work.held(node, 0, order)
    kept = order if keep else tuple(a - (a > axis) for a in order if a != axis)
    out = work.result(node, order=kept, dtype="INT32")
    shape = work.target.shape(picture)
    left, wanted = shape[:place] + shape[place + 1 :], work.target.shape(out)
    if len(shape) > HIGHEST_RANK:
        rows = (prod(shape[:place]), shape[place], prod(shape[place + 1 :]))
        picture, place, left = work.reshaped(picture, rows), 1, (rows[0], rows[2])
    if node.op_type == "ArgMin":
        opposite = work.between(node, "opposite", work.target.shape(picture))
        work.emit("NEG", [picture], [opposite], "NegOptions")
        picture = opposite
    made = out if left == wanted else work.target.add_tensor(f"{node.output[0]}_places", left, "INT32")
    dimension = work.stored(f"{node.output[0]}_axis", np.array(place, np.int32))
    whole_numbers = work.target.schema.TensorType.INT32
    work.emit("ARG_MAX", [picture, dimension], [made], "ArgMaxOptions", outputType=whole_numbers)
    if made != out:
        work.reshaped(made, wanted, out)


REDUCTIONS: dict[str, Translator] = {
    **dict.fromkeys(_KINDS, reduction),
    "ArgMax": place_of_extreme,
    "ArgMin": place_of_extreme,
}
