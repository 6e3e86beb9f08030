"""How much of each row goes into each row of a resized picture: ONNX's conventions, and those of TFLite's kernels.

A resize is linear along each axis by itself, so that a matrix an axis says all of it. Coordinates are float32, as
engines compute them: which neighbour is the nearest hangs on their last bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from exporter.graph.onnx_editor import Array


@dataclass(frozen=True, slots=True)
class Convention:
    """What ONNX's Resize says of one axis."""

    mode: str = "nearest"
    coordinates: str = "half_pixel"
    nearest: str = "round_prefer_floor"
    cubic: float = -0.75
    antialias: bool = False
    exclude_outside: bool = False
    crop: tuple[float, float] = (0.0, 1.0)


def onnx_weights(how: Convention, before: int, after: int, scale: float) -> tuple[Array, Array]:
    """(in, out) weights, and which new rows lie inside the old ones: only a crop has others."""
    place = _coordinates(how, before, after, np.float32(scale))
    if how.mode == "nearest":
        weights = _picked(_nearest(how.nearest, place), before)
    else:
        low = np.ceil(place).astype(np.int64) - 1
        offsets, shares = _filter(how, place - low, min(scale, 1.0) if how.antialias else 1.0)
        weights = _gathered(low[:, None] + offsets, shares, before, how.exclude_outside)
    inside = np.ones(after, bool)
    if how.coordinates == "tf_crop_and_resize":
        inside = (place >= 0) & (place <= before - 1)
    return weights * inside, inside


def tflite_weights(kind: str, *, align: bool, half: bool, before: int, after: int) -> Array:
    """(in, out) of RESIZE_BILINEAR or RESIZE_NEAREST_NEIGHBOR."""
    corners = align and after > 1
    scale = np.float32((before - 1) / (after - 1) if corners else before / after)
    new = np.arange(after, dtype=np.float32)
    if kind == "RESIZE_NEAREST_NEIGHBOR":
        place = (new + np.float32(0.5 if half else 0)) * scale
        whole = np.floor(place + np.float32(0.5)) if align else np.floor(place)
        return _picked(whole.astype(np.int64), before)
    place = (new + np.float32(0.5)) * scale - np.float32(0.5) if half else new * scale
    place = np.clip(place, 0, before - 1)
    low = np.floor(place).astype(np.int64)
    share = (place - low).astype(np.float64)
    return _gathered(low[:, None] + np.array([0, 1]), np.stack([1 - share, share], 1), before, False)


def _coordinates(how: Convention, before: int, after: int, scale: np.float32) -> Array:
    new, half = np.arange(after, dtype=np.float32), np.float32(0.5)
    length = np.float32(scale * np.float32(before))
    word = how.coordinates
    if word == "asymmetric":
        return new / scale
    if word == "align_corners":
        return np.zeros_like(new) if length == 1 else new * np.float32(before - 1) / (length - 1)
    if word == "pytorch_half_pixel" and after == 1:
        return np.zeros_like(new)
    if word == "tf_crop_and_resize":
        start, end = (np.float32(edge) for edge in how.crop)
        if after == 1:
            return np.full_like(new, half * (start + end) * np.float32(before - 1))
        return start * np.float32(before - 1) + new * (end - start) * np.float32(before - 1) / np.float32(after - 1)
    place = (new + half) / scale - half
    if word == "half_pixel_symmetric":
        place += np.float32(before / 2) * (1 - np.float32(after) / length)
    return place


def _nearest(rule: str, place: Array) -> Array:
    half = np.float32(0.5)
    if rule.startswith("round"):
        rounded = np.ceil(place - half) if rule == "round_prefer_floor" else np.floor(place + half)
    else:
        rounded = np.ceil(place) if rule == "ceil" else np.floor(place)
    return np.asarray(rounded, np.int64)


def _filter(how: Convention, ratio: Array, scale: float) -> tuple[Array, Array]:
    """Places beside the one below, and (out, places) of their shares; a filter is as much wider as the picture shrinks.

    `ratio` in (0, 1] is the distance from the place below. Keys, "Cubic convolution interpolation for digital image
    processing", 1981.
    """
    reach = 1 if how.mode == "linear" else 2
    first = int(np.floor(-reach / scale)) + 1
    offsets = np.arange(first, 2 - first)
    distance = np.abs(offsets[None] - ratio[:, None].astype(np.float64)) * scale
    if how.mode == "linear":
        shares = np.clip(1 - distance, 0, None)
    else:
        a = how.cubic
        near = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
        far = a * (distance**3 - 5 * distance**2 + 8 * distance - 4)
        shares = np.where(distance <= 1, near, np.where(distance < 2, far, 0))
    return offsets, shares / shares.sum(1, keepdims=True)


def _gathered(places: Array, shares: Array, before: int, exclude_outside: bool) -> Array:
    """(in, out): what lies outside is the border's, or nothing."""
    if exclude_outside:
        shares = shares * ((places >= 0) & (places < before))
        shares = shares / shares.sum(1, keepdims=True)
    weights = np.zeros((before, len(places)))
    columns = np.broadcast_to(np.arange(len(places))[:, None], places.shape)
    np.add.at(weights, (np.clip(places, 0, before - 1), columns), shares)
    return weights


def _picked(places: Array, before: int) -> Array:
    return _gathered(places[:, None], np.ones((len(places), 1)), before, False)
