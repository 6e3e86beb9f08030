"""Operators that move, cut, join or resize pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.rewrites.onnx_graph import attribute
from exporter.rewrites.translate import AXIS, Translation, Translator, Untranslatable, integers

REFLECT = 0


def resize(work: Translation, node: Any) -> None:
    mode, place = (
        attribute(node, "mode", "nearest"),
        attribute(node, "coordinate_transformation_mode", "half_pixel"),
    )
    batch, height, width, channels = work.shape(node, node.input[0])
    made = work.shape(node, node.output[0])
    if made[0] != batch or made[3] != channels:
        raise Untranslatable(node, "it resizes other axes than height and width")
    size = work.stored(f"{node.output[0]}_size", np.array(made[1:3], np.int32))
    inputs = [work.picture(node), size]
    if mode == "nearest":
        floor = place == "asymmetric" and attribute(node, "nearest_mode", "round_prefer_floor") == "floor"
        if not floor:
            raise Untranslatable(node, f"nearest neighbours by {place} are not TFLite's")
        work.emit("RESIZE_NEAREST_NEIGHBOR", inputs, [work.result(node)], "ResizeNearestNeighborOptions")
        return
    known = {"half_pixel": (False, True), "pytorch_half_pixel": (False, True), "align_corners": (True, False)}
    corners = {**known, "asymmetric": (False, False)}.get(place)
    shrinks = made[1] < height or made[2] < width
    if mode != "linear" or corners is None or (shrinks and attribute(node, "antialias", 0)):
        raise Untranslatable(node, f"mode {mode} with {place} coordinates is not TFLite's")
    work.emit(
        "RESIZE_BILINEAR",
        inputs,
        [work.result(node)],
        "ResizeBilinearOptions",
        version=3 if corners[1] else 1,
        alignCorners=corners[0],
        halfPixelCenters=corners[1],
    )


def depth_to_space(work: Translation, node: Any) -> None:
    if attribute(node, "mode", "DCR") != "DCR":
        raise Untranslatable(node, "its channel order is CRD; only DCR has a kernel")
    block = attribute(node, "blocksize")
    work.emit("DEPTH_TO_SPACE", [work.picture(node)], [work.result(node)], "DepthToSpaceOptions", blockSize=block)


def space_to_depth(work: Translation, node: Any) -> None:
    block = attribute(node, "blocksize")
    work.emit("SPACE_TO_DEPTH", [work.picture(node)], [work.result(node)], "SpaceToDepthOptions", blockSize=block)


def concatenation(work: Translation, node: Any) -> None:
    inputs = [work.operand(node, place) for place in range(len(node.input))]
    axis = AXIS[attribute(node, "axis") % 4]
    work.emit(
        "CONCATENATION",
        inputs,
        [work.result(node)],
        "ConcatenationOptions",
        axis=axis,
        fusedActivationFunction=0,
    )


def split(work: Translation, node: Any) -> None:
    axis = attribute(node, "axis", 0) % 4
    outputs = [work.result(node, place) for place in range(len(node.output))]
    sizes = [work.target.shape(out)[AXIS[axis]] for out in outputs]
    place = work.stored(f"{node.output[0]}_axis", np.array(AXIS[axis], np.int32))
    if len(set(sizes)) == 1:
        work.emit("SPLIT", [place, work.picture(node)], outputs, "SplitOptions", numSplits=len(outputs))
        return
    lengths = work.stored(f"{node.output[0]}_sizes", np.array(sizes, np.int32))
    work.emit("SPLIT_V", [work.picture(node), lengths, place], outputs, "SplitVOptions", numSplits=len(outputs))


def cut(work: Translation, node: Any) -> None:
    """Slice with constant bounds, step 1."""
    starts, ends = work.constant(node, 1), work.constant(node, 2)
    axes = work.constant(node, 3, np.arange(len(starts)))
    steps = work.constant(node, 4, np.ones(len(starts), np.int64))
    if np.any(steps != 1):
        raise Untranslatable(node, f"its steps {steps.tolist()} are not 1")
    whole, size = work.shape(node, node.input[0]), work.shape(node, node.output[0])
    begin = [0, 0, 0, 0]
    for start, end, axis in zip(starts.tolist(), ends.tolist(), axes.tolist(), strict=True):
        del end  # the output's shape says the same
        place = AXIS[axis % 4]
        begin[place] = min(max(start + whole[place] if start < 0 else start, 0), whole[place])
    first = work.stored(f"{node.output[0]}_begin", np.array(begin, np.int32))
    sizes = work.stored(f"{node.output[0]}_size", np.array(size, np.int32))
    work.emit("SLICE", [work.picture(node), first, sizes], [work.result(node)], "SliceOptions")


def pad(work: Translation, node: Any) -> None:
    mode = attribute(node, "mode", "constant")
    amounts = work.constant(node, 1).astype(np.int64)
    value = float(work.constant(node, 2, np.zeros(1, np.float32)).reshape(-1)[0])
    if (
        len(amounts) != 8
        or len(node.input) > 3
        and node.input[3]
        or amounts.min() < 0
        or mode not in ("constant", "reflect")
    ):
        raise Untranslatable(node, f"mode {mode} with amounts {amounts.tolist()} is not TFLite's")
    pairs = np.stack([amounts[:4], amounts[4:]], 1)[[0, 2, 3, 1]].astype(np.int32)
    inputs = [work.picture(node), work.stored(f"{node.output[0]}_pads", pairs)]
    out = work.result(node)
    if mode == "reflect":
        work.emit("MIRROR_PAD", inputs, [out], "MirrorPadOptions", mode=REFLECT)
    elif value == 0:
        work.emit("PAD", inputs, [out], "PadOptions")
    else:
        filler = work.stored(f"{node.output[0]}_value", np.array([value], np.float32))
        work.emit("PADV2", [*inputs, filler], [out], "PadV2Options")


def reduction(work: Translation, node: Any) -> None:
    if not attribute(node, "keepdims", 1):
        raise Untranslatable(node, "it drops the axes it reduces")
    if node.op_type == "GlobalAveragePool":
        axes = [2, 3]
    elif len(node.input) > 1:
        axes = [int(axis) for axis in work.constant(node, 1)]
    else:
        axes = integers(node, "axes", [0, 1, 2, 3])
    places = np.array(sorted(AXIS[axis % 4] for axis in axes), np.int32)
    inputs = [work.picture(node), work.stored(f"{node.output[0]}_axes", places)]
    kind = "SUM" if node.op_type == "ReduceSum" else "MEAN"
    work.emit(kind, inputs, [work.result(node)], "ReducerOptions", keepDims=True)


PICTURES: dict[str, Translator] = {
    "Resize": resize,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
    "Concat": concatenation,
    "Split": split,
    "Slice": cut,
    "Pad": pad,
    "ReduceMean": reduction,
    "ReduceSum": reduction,
    "GlobalAveragePool": reduction,
}
