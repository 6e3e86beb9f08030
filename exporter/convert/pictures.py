"""Operators that pad pictures, or move their pixels between planes."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from exporter.convert.builder import HIGHEST_RANK, NHWC, Translation, Translator, Untranslatable
from exporter.graph.onnx_editor import Array, attribute
from exporter.graph.tflite_editor import DTYPES

REFLECT = 0


def depth_to_space(work: Translation, node: Any) -> None:
    if attribute(node, "mode", "DCR") != "DCR":
        raise Untranslatable(node, "its channel order is CRD; only DCR has a kernel")
    block = attribute(node, "blocksize")
    if block == 1:
        work.forms[node.output[0]] = {NHWC: work.picture(node)}
        return
    work.emit("DEPTH_TO_SPACE", [work.picture(node)], [work.result(node)], "DepthToSpaceOptions", blockSize=block)


def space_to_depth(work: Translation, node: Any) -> None:
    block = attribute(node, "blocksize")
    work.emit("SPACE_TO_DEPTH", [work.picture(node)], [work.result(node)], "SpaceToDepthOptions", blockSize=block)


def pad(work: Translation, node: Any) -> None:
    """`passes/onnx/borders.py` has written every other padding so that it is one of these."""
    mode, rank = attribute(node, "mode", "constant"), len(work.sizes(node, node.input[0]))
    amounts = work.constant(node, 1).astype(np.int64)
    if len(amounts) != 2 * rank or amounts.min() < 0 or mode not in ("constant", "reflect", "edge"):
        raise Untranslatable(node, f"mode {mode} with amounts {amounts.tolist()} is not TFLite's")
    order = work.order(node)
    pairs = np.stack([amounts[:rank], amounts[rank:]], 1)[list(order)].astype(np.int32)
    if mode == "edge" and amounts.any():
        _repeat_borders(work, node, pairs.tolist())
        return
    picture, out = work.held(node, 0, order), work.result(node, order=order)
    if rank <= HIGHEST_RANK:
        _bordered(work, node, picture, pairs, out)
        return
    for axis in [axis for axis in range(rank) if pairs[axis].any()]:  # between all before and all after it
        shape = work.target.shape(picture)
        before, size, after = prod(shape[:axis]), int(shape[axis] + pairs[axis].sum()), prod(shape[axis + 1 :])
        made = work.flat_like(out, (before, size, after))
        flat = work.reshaped(picture, (before, shape[axis], after))
        _bordered(work, node, flat, np.array([(0, 0), pairs[axis], (0, 0)], np.int32), made)
        picture = work.reshaped(made, (*shape[:axis], size, *shape[axis + 1 :]))
    work.reshaped(picture, work.target.shape(out), out)


def _bordered(work: Translation, node: Any, picture: int, pairs: Array, out: int) -> None:
    inputs = [picture, work.stored(f"{node.output[0]}_pads", pairs)]
    is_computed = len(node.input) > 2 and node.input[2] in work.forms
    value = np.zeros(1, np.float32) if is_computed else work.constant(node, 2, np.zeros(1, np.float32))
    if attribute(node, "mode", "constant") == "reflect":
        work.emit("MIRROR_PAD", inputs, [out], "MirrorPadOptions", mode=REFLECT)
    elif is_computed:
        filler = work.reshaped(work.held(node, 2, work.order(node, 2)), (1,))
        work.emit("PADV2", [*inputs, filler], [out], "PadV2Options")
    elif not np.any(value):
        work.emit("PAD", inputs, [out], "PadOptions")
    else:
        numbers = value.reshape(-1)[:1].astype(DTYPES[work.target.dtype(out)])
        work.emit("PADV2", [*inputs, work.stored(f"{node.output[0]}_value", numbers)], [out], "PadV2Options")


def _repeat_borders(work: Translation, node: Any, pairs: list[list[int]]) -> None:
    if len(pairs) != 4 or any(pairs[0]) or any(pairs[3]):
        raise Untranslatable(node, f"it repeats the borders of other axes than height and width, {pairs}")
    picture, out = work.picture(node), work.result(node)
    repeat_borders(work, node, picture, pairs, out)


def repeat_borders(work: Translation, node: Any, picture: int, pairs: list[list[int]], out: int) -> None:
    """The first and last row and column stretched and joined on: delegates mirror only as reflection does."""
    axes = [axis for axis in (1, 2) if any(pairs[axis])]
    for axis in axes:
        shape = list(work.target.shape(picture))
        before, after = pairs[axis]
        first = [_stretched(work, node, picture, axis, 0, before)] if before else []
        last = [_stretched(work, node, picture, axis, shape[axis] - 1, after)] if after else []
        parts = [*first, picture, *last]
        shape[axis] += sum(pairs[axis])
        made = out if axis == axes[-1] else work.between(node, f"repeated{axis}", tuple(shape))
        work.emit("CONCATENATION", parts, [made], "ConcatenationOptions", axis=axis, fusedActivationFunction=0)
        picture = made


def _stretched(work: Translation, node: Any, picture: int, axis: int, start: int, amount: int) -> int:
    """`amount` copies of the row or column at `start`."""
    shape = list(work.target.shape(picture))
    shape[axis] = 1
    begin = [start if place == axis else 0 for place in range(4)]
    name = f"border{axis}_{start}"
    line = work.between(node, name, tuple(shape))
    numbers = [work.stored(f"{node.output[0]}_{name}_{word}", np.array(value, np.int32))
               for word, value in (("begin", begin), ("size", shape))]  # fmt: skip
    work.emit("SLICE", [picture, *numbers], [line], "SliceOptions")
    if amount == 1:
        return line
    shape[axis] = amount
    made = work.between(node, f"{name}_stretched", tuple(shape))
    size = work.stored(f"{node.output[0]}_{name}_stretch", np.array(shape[1:3], np.int32))
    work.emit("RESIZE_NEAREST_NEIGHBOR", [line, size], [made], "ResizeNearestNeighborOptions")
    return made


PICTURES: dict[str, Translator] = {
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
    "Pad": pad,
}
