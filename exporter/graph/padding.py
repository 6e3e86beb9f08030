"""TensorFlow's SAME padding, ONNX's SAME_UPPER."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exporter.graph.onnx_editor import attribute


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """What is added before and after `size` pixels: half each, the odd one after."""
    total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def cut_from_transposed(
    node: Any, size: Sequence[int], kernel: Sequence[int], made: Sequence[int]
) -> list[tuple[int, int]]:
    """What ONNX's ConvTranspose cuts off before and after each axis; less than nothing is zeros added."""
    rank = len(size)
    strides, dilations = ([int(n) for n in attribute(node, word) or [1] * rank] for word in ("strides", "dilations"))
    axes = zip(size, kernel, made, strides, dilations, strict=True)
    cut = [(n - 1) * stride + (k - 1) * gap + 1 - after for n, k, after, stride, gap in axes]
    auto = attribute(node, "auto_pad", "NOTSET")
    if auto == "NOTSET" and not attribute(node, "output_shape"):
        before = [int(n) for n in attribute(node, "pads") or [0] * 2 * rank][:rank]
    elif auto == "VALID":
        before = [0] * rank
    else:
        before = [total // 2 if auto == "SAME_UPPER" else total - total // 2 for total in cut]
    return [(first, total - first) for first, total in zip(before, cut, strict=True)]
