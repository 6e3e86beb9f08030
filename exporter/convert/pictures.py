"""Operators that resize or pad pictures, or move their pixels between planes."""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.convert.builder import Translation, Translator, Untranslatable
from exporter.convert.products import contract
from exporter.graph.onnx_editor import Array, OnnxGraph, attribute

REFLECT = 0


def resize(work: Translation, node: Any) -> None:
    """One operator where TFLite has the same convention, else two products with the weights of rows and of columns."""
    batch, height, width, channels = work.shape(node, node.input[0])
    made = work.shape(node, node.output[0])
    if made[0] != batch or made[3] != channels:
        raise Untranslatable(node, "it resizes other axes than height and width")
    kind = _resizing_operator(node, made[1] < height or made[2] < width)
    if kind != "align_corners" and not _sizes_say_it_all(work, node, (height, width), made[1:3]):
        kind = None
    if kind is None:
        _resize_by_products(work, node)
        return
    inputs = [work.picture(node), work.stored(f"{node.output[0]}_size", np.array(made[1:3], np.int32))]
    if kind == "nearest":
        work.emit("RESIZE_NEAREST_NEIGHBOR", inputs, [work.result(node)], "ResizeNearestNeighborOptions")
        return
    half = kind == "half_pixel"
    options = {"alignCorners": kind == "align_corners", "halfPixelCenters": half}
    out = work.result(node)
    work.emit("RESIZE_BILINEAR", inputs, [out], "ResizeBilinearOptions", version=3 if half else 1, **options)


def _sizes_say_it_all(work: Translation, node: Any, before: tuple[int, int], after: tuple[int, ...]) -> bool:
    """Whether the scale is the quotient of the sizes: TFLite knows no other, ONNX takes the number it is given."""
    scales = work.source.constants.get(node.input[2]) if len(node.input) > 2 else None
    if scales is None or scales.size != 4:
        return True
    return all(abs(float(s) * b - a) < 1e-5 * a for s, b, a in zip(scales[2:], before, after, strict=True))


def _resizing_operator(node: Any, shrinks: bool) -> str | None:
    mode = attribute(node, "mode", "nearest")
    place = attribute(node, "coordinate_transformation_mode", "half_pixel")
    if mode == "nearest":
        floor = attribute(node, "nearest_mode", "round_prefer_floor") == "floor"
        return "nearest" if floor and place == "asymmetric" else None
    if mode != "linear" or (shrinks and attribute(node, "antialias", 0)):
        return None
    known = {"half_pixel": "half_pixel", "pytorch_half_pixel": "half_pixel"}
    known |= {"align_corners": "align_corners", "asymmetric": "asymmetric"}
    return known.get(place)


def _resize_by_products(work: Translation, node: Any) -> None:
    """Exact for bicubic, antialiased and all other conventions: each is linear along rows and along columns."""
    if attribute(node, "coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize":
        raise Untranslatable(node, "it crops as it resizes")
    rows, columns = resize_weights(work.source, node, 2), resize_weights(work.source, node, 3)
    batch, _, width, channels = work.shape(node, node.input[0])
    upright = work.held(node, 0, (0, 3, 1, 2))  # (N, W, C, H)
    made = work.between(node, "rows", (batch, width, channels, rows.shape[1]))
    contract(work, upright, made, rows)
    contract(work, work.transposed(made, (0, 3, 2, 1)), work.result(node, order=(0, 2, 1, 3)), columns)


def resize_weights(source: OnnxGraph, node: Any, axis: int) -> Array:
    """(in, out): how much of each row (axis 2) or column (axis 3) goes into each new one, by ONNX Runtime itself."""
    import onnxruntime
    from onnx import TensorProto, helper

    before, after = source.shape(node.input[0]), source.shape(node.output[0])
    assert before is not None and after is not None
    given = source.constants.get(node.input[2]) if len(node.input) > 2 else None
    scale = float(given[axis]) if given is not None and given.size == 4 else after[axis] / before[axis]
    scales = np.array([1, 1, 1, 1], np.float32)
    scales[axis] = scale
    shape = [before[axis], 1, 1, 1]
    shape[axis] = before[axis]
    one = helper.make_node("Resize", ["x", "", "scales"], ["y"])
    one.attribute.extend(a for a in node.attribute if a.name != "keep_aspect_ratio_policy")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in (("x", shape), ("y", None))]
    weight = helper.make_tensor("scales", TensorProto.FLOAT, [4], scales)
    model = helper.make_model(
        helper.make_graph([one], "resize", ends[:1], ends[1:], [weight]),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    unit = np.eye(before[axis], dtype=np.float32).reshape(shape)
    return np.asarray(session.run(None, {"x": unit})[0]).reshape(before[axis], after[axis])


def depth_to_space(work: Translation, node: Any) -> None:
    if attribute(node, "mode", "DCR") != "DCR":
        raise Untranslatable(node, "its channel order is CRD; only DCR has a kernel")
    block = attribute(node, "blocksize")
    work.emit("DEPTH_TO_SPACE", [work.picture(node)], [work.result(node)], "DepthToSpaceOptions", blockSize=block)


def space_to_depth(work: Translation, node: Any) -> None:
    block = attribute(node, "blocksize")
    work.emit("SPACE_TO_DEPTH", [work.picture(node)], [work.result(node)], "SpaceToDepthOptions", blockSize=block)


def pad(work: Translation, node: Any) -> None:
    mode = attribute(node, "mode", "constant")
    amounts = work.constant(node, 1).astype(np.int64)
    value = float(work.constant(node, 2, np.zeros(1, np.float32)).reshape(-1)[0])
    if (
        len(amounts) != 8
        or len(node.input) > 3
        and node.input[3]
        or amounts.min() < 0
        or mode not in ("constant", "reflect", "edge")
    ):
        raise Untranslatable(node, f"mode {mode} with amounts {amounts.tolist()} is not TFLite's")
    pairs = np.stack([amounts[:4], amounts[4:]], 1)[[0, 2, 3, 1]].astype(np.int32)
    if mode == "edge" and amounts.any():
        _repeat_borders(work, node, pairs.tolist())
        return
    inputs = [work.picture(node), work.stored(f"{node.output[0]}_pads", pairs)]
    out = work.result(node)
    if mode == "reflect":
        work.emit("MIRROR_PAD", inputs, [out], "MirrorPadOptions", mode=REFLECT)
    elif value == 0:
        work.emit("PAD", inputs, [out], "PadOptions")
    else:
        filler = work.stored(f"{node.output[0]}_value", np.array([value], np.float32))
        work.emit("PADV2", [*inputs, filler], [out], "PadV2Options")


def _repeat_borders(work: Translation, node: Any, pairs: list[list[int]]) -> None:
    """The first and last row and column stretched and joined on: delegates mirror only as reflection does."""
    picture = work.picture(node)
    out = work.result(node)
    axes = [axis for axis in (1, 2) if any(pairs[axis])]
    if any(pairs[0]) or any(pairs[3]):
        raise Untranslatable(node, f"it repeats the borders of other axes than height and width, {pairs}")
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
    "Resize": resize,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
    "Pad": pad,
}
