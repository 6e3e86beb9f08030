"""Resize: one operator where TFLite's kernel makes the same of it, else a product with the weights of each axis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from exporter.convert.builder import Order, Translation, Translator, integers, one_axis
from exporter.convert.products import contract
from exporter.convert.resize_weights import Convention, onnx_weights, tflite_weights
from exporter.graph.onnx_editor import Array, attribute

NEAREST, BILINEAR = "RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR"
CLOSE = 1e-4  # of two weights: float32 places of pixels thousands from the border
_KERNELS = (
    (NEAREST, "asymmetric"),
    (NEAREST, "half_pixel"),
    (NEAREST, "align_corners"),
    (BILINEAR, "half_pixel"),
    (BILINEAR, "align_corners"),
    (BILINEAR, "asymmetric"),
)


def resize(work: Translation, node: Any) -> None:
    """Exact for every mode, convention and scale: each is linear along each axis by itself."""
    for place in (1, 2, 3):
        work.constant(node, place, np.zeros(0))  # what is computed has no size to speak of
    before, after = work.sizes(node, node.input[0]), work.sizes(node, node.output[0])
    weights: dict[int, Array] = {}
    inside: dict[int, Array] = {}
    for axis, scale, how in _conventions(work, node, before, after):
        weights[axis], inside[axis] = onnx_weights(how, before[axis], after[axis], scale)
    plain = all(np.all(rows) for rows in inside.values())
    moved = {axis: rows for axis, rows in weights.items() if not _is_identity(rows)}
    kernel = _same_kernel(node, weights) if len(before) == 4 and set(moved) <= {2, 3} and plain else None
    if not moved and plain:
        work.forms[node.output[0]] = work.forms[node.input[0]]
    elif kernel is not None:
        _by_kernel(work, node, *kernel)
    else:
        _by_products(work, node, moved, {} if plain else inside)


def _conventions(
    work: Translation, node: Any, before: tuple[int, ...], after: tuple[int, ...]
) -> Iterator[tuple[int, float, Convention]]:
    """(axis, scale, convention) of every axis that the node names."""
    rank = len(before)
    axes = [one_axis(node, axis, rank) for axis in integers(node, "axes", list(range(rank)))]
    crop = np.zeros(0)
    if attribute(node, "coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize":
        crop = work.constant(node, 1)
    for place, (axis, scale) in enumerate(zip(axes, _scales(work, node, axes, before, after), strict=True)):
        yield (
            axis,
            scale,
            Convention(
                mode=attribute(node, "mode", "nearest"),
                coordinates=attribute(node, "coordinate_transformation_mode", "half_pixel"),
                nearest=attribute(node, "nearest_mode", "round_prefer_floor"),
                cubic=float(attribute(node, "cubic_coeff_a", -0.75)),
                antialias=bool(attribute(node, "antialias", 0)),
                exclude_outside=bool(attribute(node, "exclude_outside", 0)),
                crop=(float(crop[place]), float(crop[place + len(axes)])) if crop.size else (0.0, 1.0),
            ),
        )


def _scales(
    work: Translation, node: Any, axes: list[int], before: tuple[int, ...], after: tuple[int, ...]
) -> list[float]:
    """The scale ONNX computes with, which need not be the quotient of the sizes."""
    given = work.constant(node, 2, np.zeros(0))
    if given.size:
        return [float(scale) for scale in given]
    wanted = work.constant(node, 3, np.array([after[axis] for axis in axes]))
    scales = [int(size) / before[axis] for size, axis in zip(wanted, axes, strict=True)]
    policy = attribute(node, "keep_aspect_ratio_policy", "stretch")
    if policy != "stretch":
        scales = [min(scales) if policy == "not_larger" else max(scales)] * len(axes)
    return scales


def _is_identity(weights: Array) -> bool:
    return weights.shape[0] == weights.shape[1] and np.allclose(weights, np.eye(len(weights)), atol=CLOSE)


def _same_kernel(node: Any, weights: dict[int, Array]) -> tuple[str, str] | None:
    """The operator and its convention of corners that weigh every row and column as the node does."""
    mode = NEAREST if attribute(node, "mode", "nearest") == "nearest" else BILINEAR
    named = attribute(node, "coordinate_transformation_mode", "half_pixel").removeprefix("pytorch_")
    for kind, corners in sorted(_KERNELS, key=lambda one: (one[0] != mode, one[1] != named)):
        half, align = corners == "half_pixel", corners == "align_corners"
        made = (
            tflite_weights(kind, align=align, half=half, before=rows.shape[0], after=rows.shape[1])
            for rows in weights.values()
        )
        if all(np.allclose(one, other, atol=CLOSE) for one, other in zip(made, weights.values(), strict=True)):
            return kind, corners
    return None


def _by_kernel(work: Translation, node: Any, kind: str, corners: str) -> None:
    made = work.shape(node, node.output[0])
    inputs = [work.picture(node), work.stored(f"{node.output[0]}_size", np.array(made[1:3], np.int32))]
    half = corners == "half_pixel"
    options = {"alignCorners": corners == "align_corners", "halfPixelCenters": half}
    table = "ResizeNearestNeighborOptions" if kind == NEAREST else "ResizeBilinearOptions"
    work.emit(kind, inputs, [work.result(node)], table, version=3 if half else 1, **options)


def _by_products(work: Translation, node: Any, weights: dict[int, Array], inside: dict[int, Array]) -> None:
    """`weights` of each axis that changes; where not all of the new picture lies `inside`, the rest is filled up."""
    order = work.order(node)
    index, sizes = work.held(node, 0, order), list(work.sizes(node, node.input[0]))
    for number, (axis, rows) in enumerate(weights.items()):
        last = _axis_last(order, axis)
        index, order = work.transposed(index, tuple(order.index(a) for a in last)), last
        sizes[axis] = rows.shape[1]
        is_end = number == len(weights) - 1 and not inside
        shape = tuple(sizes[a] for a in order)
        made = work.result(node, order=order) if is_end else work.between(node, f"along{axis}", shape)
        contract(work, index, made, rows)
        index = made
    if inside:
        _filled(work, node, index, order, inside)


def _axis_last(order: Order, axis: int) -> Order:
    """`axis` changes places with the last one."""
    return tuple(order[-1] if a == axis else axis if a == order[-1] else a for a in order)


def _filled(work: Translation, node: Any, index: int, order: Order, inside: dict[int, Array]) -> None:
    """What lies outside has no weights, so it is zero until here."""
    rank = len(order)
    mask = np.ones((1,) * rank, bool)
    for axis, rows in inside.items():
        mask = mask & rows.reshape([-1 if a == axis else 1 for a in range(rank)])
    filler = np.where(mask, 0, attribute(node, "extrapolation_value", 0.0)).astype(np.float32)
    stored = work.stored(f"{node.output[0]}_outside", filler.transpose(order))
    out = work.result(node, order=order)
    work.emit("ADD", [index, stored], [out], "AddOptions", fusedActivationFunction=0)


RESIZING: dict[str, Translator] = {"Resize": resize}
