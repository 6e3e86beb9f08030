"""Convolutions: where padding lives. TFLite knows SAME and VALID; anything else is a PAD before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from exporter.convert.builder import Order, Translation, Translator, Untranslatable, integers
from exporter.graph.onnx_editor import Array, attribute
from exporter.graph.padding import cut_from_transposed, same_padding

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
    weights = work.sizes(node, node.input[1])  # (O, I/groups, H, W)
    groups = attribute(node, "group", 1)
    if len(weights) != 4:
        raise Untranslatable(node, f"it has {len(weights) - 2} spatial dimensions, not 2")
    kernel, strides = list(weights[2:]), integers(node, "strides", [1, 1])
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
    with _bias(work, node, weights[0]) as (bias, out):
        if groups == channels and groups > 1:
            # (O, 1, H, W) to (1, H, W, O); output channel c·multiplier+m reads input channel c in both
            stored = _weights(work, node, (1, 2, 3, 0))
            inputs = [picture, stored, work.stored(f"{node.output[0]}_bias", bias)]
            options["depthMultiplier"] = weights[0] // channels
            work.emit("DEPTHWISE_CONV_2D", inputs, [out], "DepthwiseConv2DOptions", **options)
        elif groups == 1:
            stored = _weights(work, node, (0, 2, 3, 1))
            _plain(work, node, picture, out, stored, bias, options)
        else:
            _grouped(work, node, picture, out, bias, options, groups)


@contextmanager
def _bias(work: Translation, node: Any, channels: int) -> Iterator[tuple[Array, int]]:
    """(constant bias, the tensor to write to); a bias that is computed is added behind."""
    is_computed = len(node.input) > 2 and node.input[2] in work.forms
    if not is_computed:
        yield work.constant(node, 2, np.zeros(channels, np.float32)), work.result(node)
        return
    _, height, width, made = work.shape(node, node.output[0])
    bare = work.between(node, "bare", (work.shape(node, node.output[0])[0], height, width, made))
    yield np.zeros(channels, np.float32), bare
    bias = work.held(node, 2, (0,))
    work.emit("ADD", [bare, bias], [work.result(node)], "AddOptions", fusedActivationFunction=0)


def _weights(work: Translation, node: Any, order: Order) -> int:
    """The second input in TFLite's `order`, stored or computed."""
    value = work.source.constants.get(node.input[1])
    return work.held(node, 1, order) if value is None else work.stored(node.input[1], value.transpose(order))


def _plain(
    work: Translation, node: Any, picture: int, out: int, weights: int, bias: Array, options: dict[str, Any]
) -> None:
    inputs = [picture, weights, work.stored(f"{node.output[0]}_bias", bias)]
    work.emit("CONV_2D", inputs, [out], "Conv2DOptions", **options)


def _grouped(
    work: Translation, node: Any, picture: int, out: int, bias: Array, options: dict[str, Any], groups: int
) -> None:
    """SPLIT, one convolution a group, CONCATENATION: delegates know no grouped convolution."""
    *place, channels = work.target.shape(picture)
    *out_place, out_channels = work.target.shape(out)
    parts = [work.between(node, f"group{g}", (*place, channels // groups)) for g in range(groups)]
    made = [work.between(node, f"made{g}", (*out_place, out_channels // groups)) for g in range(groups)]
    axis = work.stored(f"{node.output[0]}_axis", np.array(3, np.int32))
    work.emit("SPLIT", [axis, picture], parts, "SplitOptions", numSplits=groups)
    weights = _weights_of_groups(work, node, (0, 2, 3, 1), groups)
    for part, result, group_weights, group_bias in zip(parts, made, weights, np.split(bias, groups), strict=True):
        _plain(work, node, part, result, group_weights, group_bias, options)
    work.emit("CONCATENATION", made, [out], "ConcatenationOptions", axis=3, fusedActivationFunction=0)


def _weights_of_groups(work: Translation, node: Any, order: Order, groups: int) -> Iterator[int]:
    """The second input cut along its first axis, each part in TFLite's `order`."""
    value = work.source.constants.get(node.input[1])
    if value is not None:
        for part in np.split(value, groups):
            yield work.stored(node.input[1], part.transpose(order))
        return
    held, place = work.held(node, 1, order), order.index(0)
    shape = list(work.target.shape(held))
    shape[place] //= groups
    parts = [work.between(node, f"weights{g}", tuple(shape)) for g in range(groups)]
    axis = work.stored(f"{node.output[0]}_weights_axis", np.array(place, np.int32))
    work.emit("SPLIT", [axis, held], parts, "SplitOptions", numSplits=groups)
    yield from parts


def transposed_convolution(work: Translation, node: Any) -> None:
    sizes = work.sizes(node, node.input[1])  # (I, O/groups, H, W)
    if len(sizes) != 4:
        raise Untranslatable(node, f"it has {len(sizes) - 2} spatial dimensions, not 2")
    groups, dilations = attribute(node, "group", 1), integers(node, "dilations", [1, 1])
    kernel = tuple((side - 1) * step + 1 for side, step in zip(sizes[2:], dilations, strict=True))
    strides = integers(node, "strides", [1, 1])
    batch, height, width, _ = work.shape(node, node.input[0])
    made = work.shape(node, node.output[0])
    cut = cut_from_transposed(node, (height, width), sizes[2:], made[1:3])
    full = tuple((size - 1) * s + k for size, s, k in zip((height, width), strides, kernel, strict=True))
    as_same = all(
        n == size * s and before == max(k - s, 0) // 2
        for n, size, s, k, (before, _) in zip(made[1:3], (height, width), strides, kernel, cut, strict=True)
    )
    whole = (batch, *full, made[3])
    padding, shape = (SAME, made) if as_same and whole != made else (VALID, whole)
    grown = padding == VALID and any(amount < 0 for pair in cut for amount in pair)
    options = {"padding": padding, "strideH": strides[0], "strideW": strides[1]}
    with _bias(work, node, made[3]) as (bias, out):
        target = out if shape == made else work.between(node, "whole", shape)
        inner = np.zeros_like(bias) if grown else bias
        _upsampled(work, node, target, inner, options, groups, dilations)
        if target != out:
            _cut_or_grown(work, node, target, out, cut, bias if grown else None)


def _upsampled(
    work: Translation, node: Any, target: int, bias: Array, options: dict[str, int], groups: int, dilations: list[int]
) -> None:
    weights, shape = work.source.constants.get(node.input[1]), work.target.shape(target)
    if weights is not None:
        whole = _ungrouped(_spread(weights, dilations), groups).transpose(1, 2, 3, 0)
        size = _size(work, node, target)
        stored = work.stored(node.input[1], whole)
        _transpose_conv(work, node, [size, stored, work.picture(node)], target, bias, options)
        return
    if dilations != [1, 1]:
        raise Untranslatable(node, "it is dilated, with weights that are computed")
    picture = work.picture(node)
    if groups == 1:
        inputs = [_size(work, node, target), work.held(node, 1, (1, 2, 3, 0)), picture]
        _transpose_conv(work, node, inputs, target, bias, options)
        return
    *place, channels = work.target.shape(picture)
    parts = [work.between(node, f"group{g}", (*place, channels // groups)) for g in range(groups)]
    made = [work.between(node, f"made{g}", (*shape[:3], shape[3] // groups)) for g in range(groups)]
    axis = work.stored(f"{node.output[0]}_axis", np.array(3, np.int32))
    work.emit("SPLIT", [axis, picture], parts, "SplitOptions", numSplits=groups)
    kernels = _weights_of_groups(work, node, (1, 2, 3, 0), groups)
    for part, result, kernel, one in zip(parts, made, kernels, np.split(bias, groups), strict=True):
        _transpose_conv(work, node, [_size(work, node, result), kernel, part], result, one, options)
    work.emit("CONCATENATION", made, [target], "ConcatenationOptions", axis=3, fusedActivationFunction=0)


def _size(work: Translation, node: Any, target: int) -> int:
    return work.stored(f"{node.output[0]}_shape", np.array(work.target.shape(target), np.int32))


def _transpose_conv(
    work: Translation, node: Any, inputs: list[int], target: int, bias: Array, options: dict[str, int]
) -> None:
    stored = work.stored(f"{node.output[0]}_bias", bias)
    work.emit("TRANSPOSE_CONV", [*inputs, stored], [target], "TransposeConvOptions", version=3, **options)


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


def _cut_or_grown(
    work: Translation, node: Any, source: int, out: int, cut: list[tuple[int, int]], bias: Array | None
) -> None:
    """The borders off; where the picture is to be larger, zeros on, and only then the bias."""
    whole, made = work.target.shape(source), work.target.shape(out)
    keeps = [max(before, 0) for before, _ in cut]
    inner = (whole[0], *(n - max(a, 0) - max(b, 0) for n, (a, b) in zip(whole[1:3], cut, strict=True)), whole[3])
    if inner != whole:
        begin = work.stored(f"{node.output[0]}_begin", np.array([0, *keeps, 0], np.int32))
        sizes = work.stored(f"{node.output[0]}_size", np.array(inner, np.int32))
        shown = out if bias is None else work.between(node, "inner", inner)
        work.emit("SLICE", [source, begin, sizes], [shown], "SliceOptions")
        source = shown
    if bias is None:
        return
    grown = work.between(node, "grown", made)
    amounts = [(0, 0), *((max(-a, 0), max(-b, 0)) for a, b in cut), (0, 0)]
    pads = work.stored(f"{node.output[0]}_pads", np.array(amounts, np.int32))
    work.emit("PAD", [source, pads], [grown], "PadOptions")
    stored = work.stored(f"{node.output[0]}_bias", bias)
    work.emit("ADD", [grown, stored], [out], "AddOptions", fusedActivationFunction=0)


CONVOLUTIONS: dict[str, Translator] = {
    "Conv": convolution,
    "ConvTranspose": transposed_convolution,
}
