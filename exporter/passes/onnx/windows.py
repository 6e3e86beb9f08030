"""Convolutions and poolings of one and three dimensions as those of pictures, and poolings that no engine has.

A line is a picture one row high. A volume is pooled plane by plane, then along its depth. The kernel of a convolution
of volumes is one of planes whose channels are the planes it sees; dilated windows are compared slice by slice.
"""

from __future__ import annotations

from functools import reduce
from math import prod
from typing import Any

import numpy as np

from exporter.graph.onnx_editor import Array, OnnxGraph, attribute
from exporter.graph.padding import cut_from_transposed
from exporter.passes.onnx.window import Window, window_of
from exporter.passes.onnx.writer import Rule, Writer

LOWEST = float(np.finfo(np.float32).min)


def _pooled(write: Writer, graph: OnnxGraph, node: Any) -> None:
    window = window_of(graph, node)
    if window is None:
        return
    if len([name for name in node.output if name]) > 1:
        _with_places(write, graph, node, window)
    elif any(step > 1 for step in window.dilations):
        _slice_by_slice(write, node, window)
    elif len(window.size) == 1:
        _of_a_line(write, node, window)
    elif len(window.size) == 3:
        _of_a_volume(write, graph, node, window)


def _padded(write: Writer, x: str, window: Window, value: float) -> str:
    amounts = [0, 0, *window.before, 0, 0, *window.reach_behind()]
    return write("Pad", x, write.places(*amounts), write.number(value)) if any(amounts) else x


def _shifted(write: Writer, x: str, window: Window, place: int) -> list[str]:
    """What each element of the kernel sees along one axis of space."""
    count, step, gap = window.made[place], window.strides[place], window.dilations[place]
    return [
        write.part(x, place + 2, k * gap, k * gap + (count - 1) * step + 1, step) for k in range(window.kernel[place])
    ]


def _slice_by_slice(write: Writer, node: Any, window: Window) -> None:
    """What each element of the kernel sees, compared or added."""
    if node.op_type == "MaxPool":
        made = node.input[0]
        for place in range(len(window.size)):
            made = reduce(lambda a, b: write("Max", a, b), _seen_inside(write, made, window, place))
        return
    made = _padded(write, node.input[0], window, 0.0)
    for place in range(len(window.size)):
        made = reduce(lambda a, b: write("Add", a, b), _shifted(write, made, window, place))
    counts = _counts(window, bool(attribute(node, "count_include_pad", 0)))
    write("Mul", made, write.array((1 / counts).astype(np.float32)))


def _seen_inside(write: Writer, x: str, window: Window, place: int) -> list[str]:
    """As `_shifted`, where an element that sees nothing sees what another one of its window does.

    It changes no maximum, and unlike minus infinity it has an INT8 code.
    """
    start = np.arange(window.made[place])[:, None] * window.strides[place] - window.before[place]
    taps = start + np.arange(window.kernel[place]) * window.dilations[place]
    inside = (taps >= 0) & (taps < window.size[place])
    other = np.take_along_axis(taps, inside.argmax(1)[:, None], 1)
    taps = np.where(inside, taps, other)
    return [write("Gather", x, write.array(np.ascontiguousarray(tap)), axis=place + 2) for tap in taps.T]


def _counts(window: Window, padded: bool) -> Array:
    """How many pixels each mean is of."""
    counts = np.ones((1, 1))
    for place, size in enumerate(window.size):
        taps = np.arange(window.made[place])[:, None] * window.strides[place] - window.before[place]
        taps = taps + np.arange(window.kernel[place]) * window.dilations[place]
        low, high = (-window.before[place], size + window.after[place]) if padded else (0, size)
        counts = counts[..., None] * ((taps >= low) & (taps < high)).sum(1)
    return counts


def _with_places(write: Writer, graph: OnnxGraph, node: Any, window: Window) -> None:
    """The largest of each window, and where it stands in the whole tensor: the first of what all windows see."""
    shape, rank = graph.shape(node.input[0]) or (), len(window.size)
    parts = [_padded(write, node.input[0], window, LOWEST)]
    for place in range(rank):
        parts = [shifted for part in parts for shifted in _shifted(write, part, window, place)]
    stacked = write("Concat", *[write("Unsqueeze", part, write.places(0)) for part in parts], axis=0)
    write.named(node.output[0], "ReduceMax", stacked, write.places(0), keepdims=0)
    first = write("ArgMax", stacked, axis=0, keepdims=0)
    strides = [prod(window.size[place + 1 :]) for place in range(rank)]
    if attribute(node, "storage_order", 0):
        strides = [prod(window.size[:place]) for place in range(rank)]
    planes = np.arange(shape[0] * shape[1]).reshape(shape[0], shape[1], *[1] * rank) * prod(window.size)
    corners, taps = np.zeros((1, 1), np.int64), np.zeros(1, np.int64)
    for place in range(rank):
        start = np.arange(window.made[place]) * window.strides[place] - window.before[place]
        corners = corners[..., None] + start * strides[place]
        tap = np.arange(window.kernel[place]) * window.dilations[place] * strides[place]
        taps = (taps[:, None] + tap).reshape(-1)
    moved = write("Gather", write.array(taps.astype(np.float32)), first)
    found = write("Add", moved, write.array((planes + corners).astype(np.float32)))
    write.named(node.output[1], "Cast", found, to=7)


def _of_a_line(write: Writer, node: Any, window: Window) -> None:
    """Along the rows of a plane that is one row high."""
    words = {
        "kernel_shape": [1, *window.kernel], "strides": [1, *window.strides], "dilations": [1, *window.dilations],
        "pads": [0, *window.before, 0, *window.after],
    }  # fmt: skip
    for word in ("group", "ceil_mode", "count_include_pad"):
        if attribute(node, word) is not None:
            words[word] = attribute(node, word)
    if node.op_type == "AveragePool":
        del words["dilations"]
    row, weights = write.places(2), []
    if node.op_type == "Conv":
        weights = [_unsqueezed(write, node.input[1]), *list(node.input)[2:]]
    write("Squeeze", write(node.op_type, write("Unsqueeze", node.input[0], row), *weights, **words), row)


def _unsqueezed(write: Writer, name: str) -> str:
    value = write.graph.constants.get(name)
    if value is None:
        return write("Unsqueeze", name, write.places(2))
    return write.graph.add_constant(f"{name}_plane", value[:, :, None])


def _of_a_volume(write: Writer, graph: OnnxGraph, node: Any, window: Window) -> None:
    batch, channels = (graph.shape(node.input[0]) or ())[:2]
    depth, *plane = window.size
    options = {word: attribute(node, word) for word in ("ceil_mode", "count_include_pad")
               if attribute(node, word) is not None}  # fmt: skip

    def pool(x: str, part: slice, filler: list[int]) -> str:
        kernel, strides = window.kernel[part] + filler, window.strides[part] + filler
        zero = [0] * len(filler)
        pads = window.before[part] + zero + window.after[part] + zero
        return write(node.op_type, x, kernel_shape=kernel, strides=strides, pads=pads, **options)

    flat = pool(write.reshaped(node.input[0], batch, channels * depth, *plane), slice(1, 3), [])
    columns = write.reshaped(flat, batch, channels, depth, prod(window.made[1:]))
    write.reshaped(pool(columns, slice(0, 1), [1]), batch, channels, *window.made)


def _sums_of_powers(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """LpPool: (Σ |x|^p)^(1/p), by the mean of each window on a picture with its border."""
    window, p = window_of(graph, node), attribute(node, "p", 2)
    if window is None:
        return
    size = write("Abs", node.input[0])
    terms = size if p == 1 else write("Pow", size, write.number(p))
    mean = write(
        "AveragePool", _padded(write, terms, window, 0.0), kernel_shape=window.kernel, strides=window.strides,
        dilations=window.dilations,
    )  # fmt: skip
    sums = write("Mul", mean, write.number(prod(window.kernel)))
    if p != 1:
        write("Pow", sums, write.number(1 / p))


def _convolved(write: Writer, graph: OnnxGraph, node: Any) -> None:
    window = window_of(graph, node)
    if window is None:
        return
    if len(window.size) == 1:
        _of_a_line(write, node, window)
    elif len(window.size) == 3:
        _convolved_volume(write, graph, node, window)


def _convolved_volume(write: Writer, graph: OnnxGraph, node: Any, window: Window) -> None:
    """Every plane of the result is a convolution of the planes that the kernel sees, laid side by side as channels."""
    shape, weights = graph.shape(node.input[0]), graph.shape(node.input[1])
    if shape is None or weights is None:
        return
    batch, channels, depth, height, width = shape
    rows = write.reshaped(node.input[0], batch * channels, 1, depth, height * width)
    behind = window.reach_behind()[0]
    if window.before[0] or behind:
        rows = write("Pad", rows, write.places(0, 0, window.before[0], 0, 0, 0, behind, 0))
    count, step, gap = window.made[0], window.strides[0], window.dilations[0]
    seen = [write.part(rows, 2, k * gap, k * gap + (count - 1) * step + 1, step) for k in range(window.kernel[0])]
    stacked = write.reshaped(write("Concat", *seen, axis=1), batch, channels * len(seen), count, height * width)
    planes = write.reshaped(
        write("Transpose", stacked, perm=[0, 2, 1, 3]), batch * count, channels * len(seen), height, width
    )
    kernel = write.reshaped(node.input[1], weights[0], weights[1] * weights[2], *weights[3:])
    made = write(
        "Conv", planes, kernel, *list(node.input)[2:], group=attribute(node, "group", 1), strides=window.strides[1:],
        dilations=window.dilations[1:], pads=[*window.before[1:], *window.after[1:]],
    )  # fmt: skip
    back = write.reshaped(made, batch, count, weights[0], prod(window.made[1:]))
    write.reshaped(write("Transpose", back, perm=[0, 2, 1, 3]), batch, weights[0], *window.made)


def _transposed(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """Of a line as of a plane; of a volume with all planes of a kernel as channels, which then are added where they
    belong by a product with zeros and ones."""
    shape, weights, made = (graph.shape(name) for name in (node.input[0], node.input[1], node.output[0]))
    if shape is None or weights is None or made is None or len(shape) == 4:
        return
    cut = cut_from_transposed(node, shape[2:], weights[2:], made[2:])
    if len(shape) == 3:
        row = write.places(2)
        inputs = [write("Unsqueeze", node.input[0], row), _unsqueezed(write, node.input[1]), *list(node.input)[2:]]
        write("Squeeze", _upsampled(write, node, cut, inputs, [(0, 1)]), row)
    elif len(shape) == 5:
        _transposed_volume(write, node, shape, weights, made, cut)


def _upsampled(
    write: Writer, node: Any, cut: list[tuple[int, int]], inputs: list[str], rows: list[tuple[int, int]]
) -> str:
    """A ConvTranspose of planes; `rows` stands for the axes that the node has not, (cut, stride) of each."""
    rank = len(cut)
    strides, gaps = ([int(n) for n in attribute(node, word) or [1] * rank] for word in ("strides", "dilations"))
    spare = 2 - len(rows)
    borders = [(0, 0)] * len(rows) + cut[rank - spare :]
    return write(
        "ConvTranspose", *inputs, group=attribute(node, "group", 1),
        strides=[stride for _, stride in rows] + strides[rank - spare :],
        dilations=[1] * len(rows) + gaps[rank - spare :],
        pads=[before for before, _ in borders] + [max(after, 0) for _, after in borders],
        output_padding=[max(-after, 0) for _, after in borders],
    )  # fmt: skip


def _transposed_volume(
    write: Writer, node: Any, shape: tuple[int, ...], weights: tuple[int, ...], made: tuple[int, ...],
    cut: list[tuple[int, int]],
) -> None:  # fmt: skip
    batch, channels, depth, *plane = shape
    planes = write("Transpose", write.reshaped(node.input[0], batch, channels, depth, prod(plane)), perm=[0, 2, 1, 3])
    inputs = [
        write.reshaped(planes, batch * depth, channels, *plane),
        write.reshaped(node.input[1], weights[0], weights[1] * weights[2], *weights[3:]),
    ]
    each = _upsampled(write, node, cut, inputs, [])
    size, kernel = prod(made[3:]), weights[2]
    apart = write.reshaped(each, batch, depth, made[1], kernel, size)
    rows = write.reshaped(write("Transpose", apart, perm=[0, 2, 4, 1, 3]), batch, made[1], size, depth * kernel)
    stride, gap = (int((attribute(node, word) or [1])[0]) for word in ("strides", "dilations"))
    place = np.arange(depth)[:, None] * stride + np.arange(kernel) * gap - cut[0][0]
    belongs = (place.reshape(-1, 1) == np.arange(made[2])).astype(np.float32)
    volume = write("Transpose", write("MatMul", rows, write.array(belongs)), perm=[0, 1, 3, 2])
    volume = write.reshaped(volume, *made)
    if len(node.input) > 2 and node.input[2]:
        write("Add", volume, write.reshaped(node.input[2], made[1], 1, 1, 1))


def _largest_of_planes(write: Writer, graph: OnnxGraph, node: Any) -> None:
    rank = len(graph.shape(node.input[0]) or ())
    if rank:
        write("ReduceMax", node.input[0], write.places(*range(2, rank)), keepdims=1)


WINDOWS: dict[str, Rule] = {
    "Conv": _convolved,
    "ConvTranspose": _transposed,
    "MaxPool": _pooled,
    "AveragePool": _pooled,
    "LpPool": _sums_of_powers,
    "GlobalMaxPool": _largest_of_planes,
}
