"""Pooling with whatever padding: TFLite knows SAME and VALID, and never counts what it padded."""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.convert.builder import Translation, Translator, Untranslatable, integers
from exporter.convert.convolutions import SAME, VALID, pads_of
from exporter.convert.pictures import repeat_borders
from exporter.graph.onnx_editor import Array, attribute
from exporter.graph.padding import same_padding

REFLECT = 0


def pooling(work: Translation, node: Any) -> None:
    kernel, strides = integers(node, "kernel_shape", []), integers(node, "strides", [1, 1])
    if len(kernel) != 2 or len([name for name in node.output if name]) > 1:
        raise Untranslatable(node, "only 2-D pooling with one output is known")
    if integers(node, "dilations", [1, 1]) != [1, 1]:
        raise Untranslatable(node, "it is dilated")
    _, height, width, _ = work.shape(node, node.input[0])
    _, *made, _ = work.shape(node, node.output[0])
    size = (height, width)
    pads = pads_of(node, size, kernel, strides, [1, 1])
    needed = [  # more than `pads` where the last window is rounded up to, less where it does not reach them
        (before, (count - 1) * stride + window - length - before)
        for before, count, stride, window, length in zip(pads[:2], made, strides, kernel, size, strict=True)
    ]
    counted = bool(attribute(node, "count_include_pad", 0))
    is_max, is_padded = node.op_type == "MaxPool", any(amount > 0 for pair in needed for amount in pair)
    as_same = needed == [same_padding(*axis) for axis in zip(size, kernel, strides, strict=True)]
    picture, out = work.picture(node), work.result(node)
    options = {"filterHeight": kernel[0], "filterWidth": kernel[1], "strideH": strides[0], "strideW": strides[1]}
    if not is_padded or (as_same and (is_max or not counted)):
        _pool(work, node, picture, out, SAME if is_padded else VALID, options)
        return
    amounts = [(max(before, 0), max(after, 0)) for before, after in needed]
    if is_max:
        _pool(work, node, _mirrored(work, node, picture, amounts, kernel), out, VALID, options)
        return
    padded = _padded(work, node, picture, amounts, "PAD", "PadOptions")
    factor = _correction(size, pads, kernel, strides, made, counted)
    mean = out if np.all(factor == 1) else work.between(node, "mean", work.target.shape(out))
    _pool(work, node, padded, mean, VALID, options)
    if mean != out:
        stored = work.stored(f"{node.output[0]}_factor", factor)
        work.emit("MUL", [mean, stored], [out], "MulOptions", fusedActivationFunction=0)


def _pool(work: Translation, node: Any, picture: int, out: int, padding: int, options: dict[str, int]) -> None:
    kind = "MAX_POOL_2D" if node.op_type == "MaxPool" else "AVERAGE_POOL_2D"
    work.emit(kind, [picture], [out], "Pool2DOptions", padding=padding, fusedActivationFunction=0, **options)


def _mirrored(work: Translation, node: Any, picture: int, amounts: list[tuple[int, int]], kernel: list[int]) -> int:
    """A border that changes no maximum: what is mirrored into a window stands in it already, or else the outermost row
    repeated, which every window that reaches beyond it holds. Unlike minus infinity it has an INT8 code."""
    if any(2 * amount >= window for pair, window in zip(amounts, kernel, strict=True) for amount in pair):
        shape = work.target.shape(picture)
        grown = [n + sum(pair) for n, pair in zip(shape[1:3], amounts, strict=True)]
        repeated = work.between(node, "padded", (shape[0], *grown, shape[3]))
        repeat_borders(work, node, picture, [[0, 0], *map(list, amounts), [0, 0]], repeated)
        return repeated
    return _padded(work, node, picture, amounts, "MIRROR_PAD", "MirrorPadOptions", mode=REFLECT)


def _padded(
    work: Translation,
    node: Any,
    picture: int,
    amounts: list[tuple[int, int]],
    kind: str,
    table: str,
    **options: int,
) -> int:
    batch, height, width, channels = work.target.shape(picture)
    (top, bottom), (left, right) = amounts
    shape = (batch, height + top + bottom, width + left + right, channels)
    padded = work.between(node, "padded", shape)
    pairs = np.array([(0, 0), *amounts, (0, 0)], np.int32)
    work.emit(kind, [picture, work.stored(f"{node.output[0]}_pads", pairs)], [padded], table, **options)
    return padded


def _correction(
    size: tuple[int, int], pads: list[int], kernel: list[int], strides: list[int], made: list[int], counted: bool
) -> Array:
    """(1, H, W, 1): the window's size over the number of pixels that its mean is meant to be of."""
    along = []
    for place, length in enumerate(size):
        before, after = pads[place], pads[place + 2]
        low, high = (-before, length + after) if counted else (0, length)
        starts = np.arange(made[place]) * strides[place] - before
        ends = np.minimum(starts + kernel[place], high)
        along.append(kernel[place] / (ends - np.maximum(starts, low)))
    factor = np.outer(along[0], along[1]).astype(np.float32)
    return factor.reshape(1, *factor.shape, 1)


POOLING: dict[str, Translator] = {"MaxPool": pooling, "AveragePool": pooling}
