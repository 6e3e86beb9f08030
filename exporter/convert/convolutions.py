"""Convolutions: where padding lives. TFLite knows SAME and VALID; anything else is a PAD before."""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.convert.builder import Translation, Translator, Untranslatable, integers
from exporter.graph.onnx_editor import Array, attribute
from exporter.graph.padding import same_padding

SAME, VALID = 0, 1
_CONVOLUTION = {"fusedActivationFunction": 0}


def pads_of(node: Any, size: tuple[int, int], kernel: list[int], strides: list[int], dilations: list[int]) -> list[int]:
    """[top, left, bottom, right] as the node means it."""
    auto = attribute(node, "auto_pad", "NOTSET")
    if auto == "NOTSET":
        return integers(node, "pads", [0, 0, 0, 0])
    if auto == "VALID":
        return [0, 0, 0, 0]
    before, after = zip(*map(same_padding, size, kernel, strides, dilations), strict=True)
    return [*before, *after] if auto == "SAME_UPPER" else [*after, *before]


def _padded(
    work: Translation, node: Any, picture: int, pads: list[int], geometry: list[tuple[int, int, int, int]]
) -> tuple[int, int]:
    """(picture, padding scheme): SAME where TensorFlow's rule gives these pads, else a PAD and VALID.

    PyTorch's symmetric padding at stride 2 would be SAME with a row and a column of zeros in the kernel, exactly, but
    4 × 4 products cost more than the PAD, which XNNPACK makes part of the convolution (benchmarks/stride_two_padding).
    """
    if not any(pads):
        return picture, VALID
    if list(zip(pads[:2], pads[2:], strict=True)) == [same_padding(*axis) for axis in geometry]:
        return picture, SAME
    if min(pads) < 0:
        raise Untranslatable(node, f"its padding {pads} is negative")
    batch, height, width, channels = work.target.shape(picture)
    top, left, bottom, right = pads
    padded = work.between(node, "padded", (batch, height + top + bottom, width + left + right, channels))
    amounts = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
    work.emit("PAD", [picture, work.stored(f"{node.output[0]}_pads", amounts)], [padded], "PadOptions")
    return padded, VALID


def convolution(work: Translation, node: Any) -> None:
    weights = work.constant(node, 1)
    groups = attribute(node, "group", 1)
    bias = work.constant(node, 2, np.zeros(weights.shape[0], np.float32))
    if weights.ndim != 4:
        raise Untranslatable(node, f"it has {weights.ndim - 2} spatial dimensions, not 2")
    kernel, strides = list(weights.shape[2:]), integers(node, "strides", [1, 1])
    dilations = integers(node, "dilations", [1, 1])
    _, height, width, channels = work.shape(node, node.input[0])
    pads = pads_of(node, (height, width), kernel, strides, dilations)
    geometry = list(zip((height, width), kernel, strides, dilations, strict=True))
    picture, padding = _padded(work, node, work.picture(node), pads, geometry)
    options = {
        **_CONVOLUTION,
        "padding": padding,
        "strideH": strides[0],
        "strideW": strides[1],
        "dilationHFactor": dilations[0],
        "dilationWFactor": dilations[1],
    }
    out = work.result(node)
    if groups == channels and groups > 1:
        # (O, 1, H, W) to (1, H, W, O); output channel c·multiplier+m reads input channel c in both
        stored = work.stored(node.input[1], weights.transpose(1, 2, 3, 0))
        inputs = [picture, stored, work.stored(f"{node.output[0]}_bias", bias)]
        multiplier = weights.shape[0] // channels
        work.emit(
            "DEPTHWISE_CONV_2D",
            inputs,
            [out],
            "DepthwiseConv2DOptions",
            depthMultiplier=multiplier,
            **options,
        )
        return
    if groups == 1:
        _plain(work, node, picture, out, weights, bias, options)
    else:
        _grouped(work, node, picture, out, weights, bias, options, groups)


def _plain(
    work: Translation, node: Any, picture: int, out: int, weights: Array, bias: Array, options: dict[str, Any]
) -> None:
    stored = work.stored(node.input[1], weights.transpose(0, 2, 3, 1))
    inputs = [picture, stored, work.stored(f"{node.output[0]}_bias", bias)]
    work.emit("CONV_2D", inputs, [out], "Conv2DOptions", **options)


def _grouped(
    work: Translation,
    node: Any,
    picture: int,
    out: int,
    weights: Array,
    bias: Array,
    options: dict[str, Any],
    groups: int,
) -> None:
    """SPLIT, one convolution a group, CONCATENATION: delegates know no grouped convolution."""
    *place, channels = work.target.shape(picture)
    *out_place, out_channels = work.target.shape(out)
    parts = [work.between(node, f"group{g}", (*place, channels // groups)) for g in range(groups)]
    made = [work.between(node, f"made{g}", (*out_place, out_channels // groups)) for g in range(groups)]
    axis = work.stored(f"{node.output[0]}_axis", np.array(3, np.int32))
    work.emit("SPLIT", [axis, picture], parts, "SplitOptions", numSplits=groups)
    for part, result, group_weights, group_bias in zip(
        parts, made, np.split(weights, groups), np.split(bias, groups), strict=True
    ):
        _plain(work, node, part, result, group_weights, group_bias, options)
    work.emit("CONCATENATION", made, [out], "ConcatenationOptions", axis=3, fusedActivationFunction=0)


def transposed_convolution(work: Translation, node: Any) -> None:
    weights = work.constant(node, 1)  # (I, O, H, W)
    if weights.ndim != 4:
        raise Untranslatable(node, f"it has {weights.ndim - 2} spatial dimensions, not 2")
    groups, weights = attribute(node, "group", 1), _spread(weights, integers(node, "dilations", [1, 1]))
    if attribute(node, "auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise Untranslatable(node, "its padding is automatic")
    bias = work.constant(node, 2, np.zeros(groups * weights.shape[1], np.float32))
    weights = _ungrouped(weights, groups)
    kernel, strides = weights.shape[2:], integers(node, "strides", [1, 1])
    pads = integers(node, "pads", [0, 0, 0, 0])
    batch, height, width, _ = work.shape(node, node.input[0])
    made = work.shape(node, node.output[0])
    full = tuple((size - 1) * s + k for size, s, k in zip((height, width), strides, kernel, strict=True))
    as_same = all(
        n == size * s and before == max(k - s, 0) // 2
        for n, size, s, k, before in zip(made[1:3], (height, width), strides, kernel, pads[:2], strict=True)
    )
    whole = (batch, *full, made[3])
    padding, shape = (SAME, made) if as_same and whole != made else (VALID, whole)
    out = work.result(node)
    target = out if shape == made else work.between(node, "whole", shape)
    inputs = [
        work.stored(f"{node.output[0]}_shape", np.array(shape, np.int32)),
        work.stored(node.input[1], weights.transpose(1, 2, 3, 0)),
        work.picture(node),
        work.stored(f"{node.output[0]}_bias", bias),
    ]
    options = {"padding": padding, "strideH": strides[0], "strideW": strides[1]}
    work.emit("TRANSPOSE_CONV", inputs, [target], "TransposeConvOptions", version=3, **options)
    if target != out:
        _crop(work, node, target, out, (pads[0], pads[1]), made)


def _spread(weights: Array, dilations: list[int]) -> Array:
    """Weights with the zeros between them that a dilation stands for; TRANSPOSE_CONV knows none."""
    if dilations == [1, 1]:
        return weights
    sides = [(side - 1) * step + 1 for side, step in zip(weights.shape[2:], dilations, strict=True)]
    spread = np.zeros((*weights.shape[:2], *sides), weights.dtype)
    spread[:, :, :: dilations[0], :: dilations[1]] = weights
    return spread


def _ungrouped(weights: Array, groups: int) -> Array:
    """(I, O/groups, H, W) as the (I, O, H, W) that does the same: TFLite knows no grouped transposed convolution."""
    if groups == 1:
        return weights
    inputs, outputs = weights.shape[0] // groups, weights.shape[1]
    whole = np.zeros((weights.shape[0], groups * outputs, *weights.shape[2:]), weights.dtype)
    for group in range(groups):
        rows = slice(group * inputs, (group + 1) * inputs)
        whole[rows, group * outputs : (group + 1) * outputs] = weights[rows]
    return whole


def _crop(work: Translation, node: Any, source: int, out: int, start: tuple[int, int], size: tuple[int, ...]) -> None:
    whole = work.target.shape(source)
    if start[0] + size[1] > whole[1] or start[1] + size[2] > whole[2]:
        raise Untranslatable(node, "its output padding goes beyond its kernel")
    begin = work.stored(f"{node.output[0]}_begin", np.array([0, *start, 0], np.int32))
    sizes = work.stored(f"{node.output[0]}_size", np.array(size, np.int32))
    work.emit("SLICE", [source, begin, sizes], [out], "SliceOptions")


CONVOLUTIONS: dict[str, Translator] = {
    "Conv": convolution,
    "ConvTranspose": transposed_convolution,
}
