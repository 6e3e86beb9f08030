"""Which pixels of its operands an operator reads for an interval of its output's pixels, along one axis."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import ceil, floor
from typing import Any

from exporter.graph.padding import same_padding
from exporter.tiling.pixel_axes import WINDOWED, Axes, Unbounded, reach_of

Interval = tuple[int, int]  # first and last pixel


def read_by(
    node: Any, graph: Any, axes: dict[str, Axes], output: str, axis: int, made: Interval
) -> Iterator[tuple[str, Interval]]:
    """(operand, pixels read of it) for the pixels `made` of `output`; `axis` 0: rows, 1: columns.

    Pixel numbers go on beyond the picture's border. Raises Unbounded where the reach depends on the picture's size.
    """
    reach = reach_of(node)
    for tensor in (name for name in node.input if name in axes):
        before, after = graph.shape(tensor)[axes[tensor][axis]], graph.shape(output)[axes[output][axis]]
        if reach not in WINDOWED:
            if before != after:
                raise Unbounded(f"{node.op_type} {node.name or output!r} spreads one value over the plane")
            yield tensor, made
        elif reach == "window":
            yield tensor, _window(node, graph, axis, before, made)
        elif reach == "transposed window":
            yield tensor, _transposed_window(node, graph, axis, made)
        elif reach == "resized":
            yield tensor, _resampled(node, before, after, made)
        elif reach == "block":
            yield tensor, _blocks(node, made)
        else:  # moved
            yield tensor, _moved(node, graph, axes[tensor][axis], before, made)


def stride_of(node: Any, graph: Any, axes: dict[str, Axes], tensor: str, output: str, axis: int) -> Fraction:
    """Pixels of the operand `tensor` per pixel of `output`."""
    reach = reach_of(node)
    if reach == "window":
        return Fraction(_stride(node, axis))
    if reach == "transposed window":
        return Fraction(1, _stride(node, axis))
    if reach in ("resized", "block"):
        return Fraction(graph.shape(tensor)[axes[tensor][axis]], graph.shape(output)[axes[output][axis]])
    if node.op_type == "Slice":
        place = axes[tensor][axis]
        return Fraction(_slice_of(node, graph, place, graph.shape(tensor)[place])[1])
    return Fraction(1)


def _window(node: Any, graph: Any, axis: int, before: int, made: Interval) -> Interval:
    stride, span = _stride(node, axis), _span(node, graph, axis)
    first = -_pad_before(node, axis, before, stride, span)
    return made[0] * stride + first, made[1] * stride + first + span - 1


def _transposed_window(node: Any, graph: Any, axis: int, made: Interval) -> Interval:
    """Input i writes the outputs from i * stride - pad on, `span` of them."""
    from exporter.graph.onnx_editor import attribute

    if attribute(node, "auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise Unbounded(f"ConvTranspose {node.name!r} leaves its padding to the engine")
    stride, span = _stride(node, axis), _span(node, graph, axis)
    pad = (attribute(node, "pads") or [0, 0, 0, 0])[axis]
    return ceil(Fraction(made[0] + pad - span + 1, stride)), (made[1] + pad) // stride


def _resampled(node: Any, before: int, after: int, made: Interval) -> Interval:
    from exporter.graph.onnx_editor import attribute

    if before == after:
        return made
    convention = attribute(node, "coordinate_transformation_mode", "half_pixel")
    if node.op_type == "Upsample":
        convention = "asymmetric"
    if convention not in ("half_pixel", "pytorch_half_pixel", "asymmetric"):
        raise Unbounded(f"{node.op_type} {node.name!r} uses {convention}: its reach depends on the picture's size")
    step = Fraction(before, after)
    shift = Fraction(0) if convention == "asymmetric" else Fraction(1, 2)
    low, high = ((pixel + shift) * step - shift for pixel in made)
    mode = attribute(node, "mode", "nearest")
    if mode == "nearest":
        nearest = attribute(node, "nearest_mode", "round_prefer_floor")
        return _nearest(low, nearest), _nearest(high, nearest)
    widened = max(step, Fraction(1)) if attribute(node, "antialias", 0) else Fraction(1)
    support = widened * (2 if mode == "cubic" else 1)
    # A tap at exactly `support` has weight zero.
    return floor(low - support) + 1, ceil(high + support) - 1


def _nearest(place: Fraction, mode: str) -> int:
    half = Fraction(1, 2)
    return {
        "floor": floor(place),
        "ceil": ceil(place),
        "round_prefer_floor": ceil(place - half),
        "round_prefer_ceil": floor(place + half),
    }[mode]


def _blocks(node: Any, made: Interval) -> Interval:
    from exporter.graph.onnx_editor import attribute

    block = attribute(node, "blocksize")
    if node.op_type == "DepthToSpace":
        return made[0] // block, made[1] // block
    return made[0] * block, made[1] * block + block - 1


def _moved(node: Any, graph: Any, place: int, before: int, made: Interval) -> Interval:
    """Pad and Slice move pixels; a padding that mirrors adds nothing inside a picture."""
    from exporter.graph.onnx_editor import attribute

    if node.op_type == "Pad":
        pads = attribute(node, "pads")
        pads = list(graph.constants[node.input[1]]) if pads is None else pads
        rank = len(pads) // 2
        return made[0] - int(pads[place + rank]), made[1] - int(pads[place + rank])
    start, step = _slice_of(node, graph, place, before)
    return start + step * made[0], start + step * made[1]


def _slice_of(node: Any, graph: Any, place: int, before: int) -> tuple[int, int]:
    """First pixel and step along one axis. Raises Unbounded for a slice that turns the picture round."""
    rank = len(graph.shape(node.input[0]))
    parts = [graph.constants[name].reshape(-1).tolist() if name in graph.constants else None for name in node.input]
    starts, given, steps = (parts[i] if len(parts) > i else None for i in (1, 3, 4))
    if starts is None:
        raise Unbounded(f"Slice {node.name!r} starts where the picture says")
    sliced = [axis % rank - rank for axis in (given if given is not None else range(len(starts)))]
    if place not in sliced:
        return 0, 1
    index = sliced.index(place)
    start, step = int(starts[index]), int(steps[index]) if steps else 1
    if step < 0:
        raise Unbounded(f"Slice {node.name!r} turns the picture round")
    return start + before if start < 0 else start, step


def _stride(node: Any, axis: int) -> int:
    from exporter.graph.onnx_editor import attribute

    return int((attribute(node, "strides") or [1, 1])[axis])


def _span(node: Any, graph: Any, axis: int) -> int:
    """Pixels from the first to the last tap of the kernel."""
    from exporter.graph.onnx_editor import attribute

    kernel = attribute(node, "kernel_shape") or _shape_of_weights(node, graph)
    return int((attribute(node, "dilations") or [1, 1])[axis] * (kernel[axis] - 1) + 1)


def _shape_of_weights(node: Any, graph: Any) -> tuple[int, ...]:
    weights = graph.constants.get(node.input[1])
    shape = graph.shape(node.input[1]) if weights is None else weights.shape
    if shape is None:
        raise Unbounded(f"{node.op_type} {node.name!r} has a kernel of open size")
    return tuple(shape[2:])


def _pad_before(node: Any, axis: int, before: int, stride: int, span: int) -> int:
    from exporter.graph.onnx_editor import attribute

    mode = attribute(node, "auto_pad", "NOTSET")
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        return same_padding(before, span, stride)[mode == "SAME_LOWER"]
    return int((attribute(node, "pads") or [0, 0, 0, 0])[axis])
