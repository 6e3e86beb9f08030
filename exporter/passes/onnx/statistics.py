"""Norms by statistics of the picture written out in means, squares and roots.

Ioffe and Szegedy, "Batch Normalization", 2015; Wu and He, "Group Normalization", 2018; Krizhevsky, Sutskever, Hinton,
"ImageNet Classification with Deep Convolutional Neural Networks", 2012; Zhang and Sennrich, "Root Mean Square Layer
Normalization", 2019.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from exporter.graph.onnx_editor import OnnxGraph, attribute
from exporter.passes.onnx.writer import Rule, Writer, replace


def _batch_norm(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """By the batch's own statistics, as in training, with computed numbers, or of no picture; else it is translated."""
    shape, trains = graph.shape(node.input[0]), bool(attribute(node, "training_mode", 0))
    is_constant = all(name in graph.constants for name in list(node.input)[1:])
    if shape is None or (is_constant and not trains and len(shape) == 4):
        return
    x = node.input[0]
    scale, shift, mean, variance = (write.reshaped(name, -1, *[1] * (len(shape) - 2)) for name in list(node.input)[1:])
    if trains:
        kept, momentum = (mean, variance), attribute(node, "momentum", 0.9)
        mean, variance = _statistics(write, x, [axis for axis in range(len(shape)) if axis != 1])
        for name, old, new in zip(list(node.output)[1:], kept, (mean, variance), strict=False):
            _running(write, name, old, new, momentum)
    _normalised(write, x, mean, variance, attribute(node, "epsilon", 1e-5))
    scaled = write("Mul", write.made[-1].output[0], scale)
    write.named(node.output[0], "Add", scaled, shift)


def _running(write: Writer, name: str, old: str, new: str, momentum: float) -> None:
    if name:
        before, now = write("Mul", old, write.number(momentum)), write("Mul", new, write.number(1 - momentum))
        write.named(name, "Reshape", write("Add", before, now), write.places(-1))


def _statistics(write: Writer, x: str, axes: list[int]) -> tuple[str, str]:
    over = write.places(*axes)
    mean = write("ReduceMean", x, over, keepdims=1)
    centred = write("Sub", x, mean)
    return mean, write("ReduceMean", write("Mul", centred, centred), over, keepdims=1)


def _normalised(write: Writer, x: str, mean: str, variance: str, epsilon: float) -> str:
    spread = write("Sqrt", write("Add", variance, write.number(epsilon)))
    return write("Div", write("Sub", x, mean), spread)


def _group_norm(write: Writer, graph: OnnxGraph, node: Any) -> None:
    x, scale, shift = node.input
    shape, groups = graph.shape(x), attribute(node, "num_groups")
    wanted = graph.shape(scale)
    if shape is None or wanted is None:
        return
    planes, ones = shape[1], [1] * (len(shape) - 2)

    def per_plane(name: str) -> str:
        if wanted == (planes,):
            return write.reshaped(name, planes, *ones)
        spread = write("Expand", write.reshaped(name, groups, 1), write.places(groups, planes // groups))
        return write.reshaped(spread, planes, *ones)

    normal = _normal_in_groups(write, x, shape, groups, attribute(node, "epsilon", 1e-5))
    write("Add", write("Mul", normal, per_plane(scale)), per_plane(shift))


def _normal_in_groups(write: Writer, x: str, shape: tuple[int, ...], groups: int, epsilon: float) -> str:
    """Means of planes first, then of the planes of a group, so that no picture is transposed."""
    images, planes, ones = shape[0], shape[1], [1] * (len(shape) - 2)
    space = write.places(*range(2, len(shape)))
    whole = write.places(*range(1, len(shape)))

    def of_groups(picture: str) -> str:
        if groups == 1:
            return write("ReduceMean", picture, whole, keepdims=1)
        each = write("ReduceMean", picture, space, keepdims=1) if ones else picture
        if groups == planes:
            return each
        joined = write.reshaped(each, images, groups, planes // groups)
        mean = write("ReduceMean", joined, write.places(2), keepdims=1)
        spread = write("Expand", mean, write.places(images, groups, planes // groups))
        return write.reshaped(spread, images, planes, *ones)

    centred = write("Sub", x, of_groups(x))
    variance = of_groups(write("Mul", centred, centred))
    spread = write("Sqrt", write("Add", variance, write.number(epsilon)))
    return write("Div", centred, spread)


def write_out_group_norms(graph: OnnxGraph) -> bool:
    """Reshape, InstanceNormalization and Reshape, as which torch exports group norms, in means of planes."""
    return replace(graph, {"Reshape": _reshaped_norm})


def _reshaped_norm(write: Writer, graph: OnnxGraph, node: Any) -> None:
    norm = graph.producer(node.input[0])
    if norm is None or norm.op_type != "InstanceNormalization" or len(graph.consumers(norm.output[0])) != 1:
        return
    inner = graph.producer(norm.input[0])
    if inner is None or inner.op_type != "Reshape" or norm.output[0] in graph.outputs:
        return
    x, scale, shift = inner.input[0], *(graph.constants.get(name) for name in list(norm.input)[1:])
    shape, grouped = graph.shape(x), graph.shape(norm.input[0])
    if scale is None or shift is None or shape is None or grouped is None or graph.shape(node.output[0]) != shape:
        return
    groups = grouped[1]
    if len(shape) < 3 or grouped[0] != shape[0] or shape[1] % groups:
        return  # groups of rows, not of planes
    normal = _normal_in_groups(write, x, shape, groups, attribute(norm, "epsilon", 1e-5))
    sizes = (1, shape[1], *[1] * (len(shape) - 2))
    each_scale, each_shift = (np.repeat(value, shape[1] // groups).reshape(sizes) for value in (scale, shift))
    write("Add", write("Mul", normal, write.array(each_scale, "scale")), write.array(each_shift, "shift"))


def _mean_variance(write: Writer, graph: OnnxGraph, node: Any) -> None:
    mean, variance = _statistics(write, node.input[0], [int(axis) for axis in attribute(node, "axes", [0, 2, 3])])
    _normalised(write, node.input[0], mean, variance, 1e-9)


def _root_mean_square(write: Writer, graph: OnnxGraph, node: Any) -> None:
    x, shape = node.input[0], graph.shape(node.input[0])
    if shape is None:
        return
    over = write.places(*range(attribute(node, "axis", -1) % len(shape), len(shape)))
    square = write("ReduceMean", write("Mul", x, x), over, keepdims=1)
    root = write("Sqrt", write("Add", square, write.number(attribute(node, "epsilon", 1e-5))))
    write("Mul", write("Div", x, root), node.input[1])


def _length(write: Writer, graph: OnnxGraph, node: Any) -> None:
    kind = "ReduceL1" if attribute(node, "p", 2) == 1 else "ReduceL2"
    write("Div", node.input[0], write(kind, node.input[0], write.places(attribute(node, "axis", -1)), keepdims=1))


def _local_response(write: Writer, graph: OnnxGraph, node: Any) -> None:
    """Sums of squares of neighbouring planes: a pooling along the channels, which are rows for that long."""
    x, shape, size = node.input[0], graph.shape(node.input[0]), attribute(node, "size")
    if shape is None:
        return
    rows = write.reshaped(write("Mul", x, x), shape[0], 1, shape[1], prod(shape[2:]))
    before = (size - 1) // 2
    mean = write(
        "AveragePool", rows, kernel_shape=[size, 1], pads=[before, 0, size - 1 - before, 0], count_include_pad=1
    )
    sums = write("Mul", write.reshaped(mean, *shape), write.number(attribute(node, "alpha", 1e-4)))
    above = write("Add", sums, write.number(attribute(node, "bias", 1.0)))
    write("Div", x, write("Pow", above, write.array(np.array(attribute(node, "beta", 0.75), np.float32))))


STATISTICS: dict[str, Rule] = {
    "BatchNormalization": _batch_norm,
    "GroupNormalization": _group_norm,
    "MeanVarianceNormalization": _mean_variance,
    "RMSNormalization": _root_mean_square,
    "LpNormalization": _length,
    "LRN": _local_response,
}
