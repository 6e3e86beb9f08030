"""A kernel's way over a picture, as a node of ONNX describes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from exporter.graph.onnx_editor import OnnxGraph, attribute
from exporter.graph.padding import same_padding


@dataclass(frozen=True, slots=True)
class Window:
    """A kernel's way over a picture, each a list of one number an axis of space."""

    size: tuple[int, ...]
    made: tuple[int, ...]
    kernel: list[int]
    strides: list[int]
    dilations: list[int]
    before: list[int]
    after: list[int]

    def reach_behind(self) -> list[int]:
        """Rows that the last windows want behind the picture, more than `after` where the number is rounded up."""
        spans = zip(self.made, self.kernel, self.strides, self.dilations, strict=True)
        ends = [(count - 1) * step + (k - 1) * gap + 1 for count, k, step, gap in spans]
        return [max(end - front - size, 0) for end, front, size in zip(ends, self.before, self.size, strict=True)]


def window_of(graph: OnnxGraph, node: Any) -> Window | None:
    """None where a shape is not known."""
    shape, made = graph.shape(node.input[0]), graph.shape(node.output[0])
    weights = graph.shape(node.input[1]) if node.op_type.startswith("Conv") else None
    if shape is None or made is None:
        return None
    size, rank = shape[2:], len(shape) - 2
    named = attribute(node, "kernel_shape") or (weights or ())[2:]
    kernel = [int(side) for side in named]
    strides, dilations = ([int(n) for n in attribute(node, word) or [1] * rank] for word in ("strides", "dilations"))
    auto = attribute(node, "auto_pad", "NOTSET")
    if auto.startswith("SAME"):
        pairs = [same_padding(*axis) for axis in zip(size, kernel, strides, dilations, strict=True)]
        pads = [pair[::-1] if auto == "SAME_LOWER" else pair for pair in pairs]
    else:
        flat = [int(n) for n in attribute(node, "pads") or [0] * 2 * rank] if auto == "NOTSET" else [0] * 2 * rank
        pads = list(zip(flat[:rank], flat[rank:], strict=True))
    return Window(size, made[2:], kernel, strides, dilations, [a for a, _ in pads], [b for _, b in pads])
