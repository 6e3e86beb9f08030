"""Fourier transforms of known lengths as products with cosines and sines.

A complex number is a pair along the last axis, as ONNX has it. PyTorch exports the way back from half a spectrum as an
inverse, one-sided DFT, which ONNX Runtime refuses; here it is a matrix like any other.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from exporter.graph.onnx_editor import Array, OnnxGraph, attribute
from exporter.passes.onnx.writer import Rule, Writer, replace


def write_out_fourier(graph: OnnxGraph) -> bool:
    """Replace every DFT of known length."""
    return replace(graph, FOURIER)


def _transformed(write: Writer, graph: OnnxGraph, node: Any) -> None:
    shape = graph.shape(node.input[0])
    if shape is None:
        return
    length = graph.constants.get(node.input[1]) if len(node.input) > 1 and node.input[1] else None
    axis = attribute(node, "axis", 1 if len(node.input) < 3 else None)
    if len(node.input) > 2 and node.input[2]:
        named = graph.constants.get(node.input[2])
        axis = None if named is None else int(named.reshape(-1)[0])
    if axis is None or (length is None and len(node.input) > 1 and node.input[1]):
        return
    axis %= len(shape)
    inverse, half = bool(attribute(node, "inverse", 0)), bool(attribute(node, "onesided", 0))
    before, parts = shape[axis], shape[-1]
    own = 2 * (before - 1) if inverse and half else before
    matrix = _matrix(before, parts, int(length.reshape(-1)[0]) if length is not None else own, inverse, half)
    rest = [place for place in range(len(shape) - 1) if place != axis]
    perm = [*rest, axis, len(shape) - 1]
    x = node.input[0] if perm == sorted(perm) else write("Transpose", node.input[0], perm=perm)
    sizes = [shape[place] for place in rest]
    made = write("MatMul", write.reshaped(x, *sizes, before * parts), write.array(matrix, "waves"))
    kept = 1 if inverse and half else 2
    made = write.reshaped(made, *sizes, matrix.shape[1] // kept, kept)
    if perm != sorted(perm):
        write("Transpose", made, perm=[perm.index(place) for place in range(len(shape))])


def _matrix(before: int, parts: int, length: int, inverse: bool, half: bool) -> Array:
    """(numbers in, numbers out) of one transform: what is beyond `length` is cut, what is missing is nothing."""
    if inverse and half:
        return _from_half_a_spectrum(before, parts, length)
    after = length // 2 + 1 if half else length
    used = min(before, length)
    angle = 2 * np.pi / length * (np.outer(np.arange(used), np.arange(after)) % length)
    cosine, sine = np.cos(angle), np.sin(angle) * (1 if inverse else -1)
    matrix = np.zeros((before, parts, after, 2))
    matrix[:used, 0, :, 0], matrix[:used, 0, :, 1] = cosine, sine
    if parts == 2:
        matrix[:used, 1, :, 0], matrix[:used, 1, :, 1] = -sine, cosine
    return (matrix.reshape(before * parts, after * 2) / (length if inverse else 1)).astype(np.float32)


def _from_half_a_spectrum(before: int, parts: int, length: int) -> Array:
    """To real numbers: the other half is the conjugate of this one, but for the first frequency and the middle one."""
    used = min(before, length // 2 + 1)
    frequency = np.arange(used)
    angle = 2 * np.pi / length * (np.outer(frequency, np.arange(length)) % length)
    times = np.where((frequency == 0) | (2 * frequency == length), 1, 2)[:, None] / length
    matrix = np.zeros((before, parts, length))
    matrix[:used, 0] = times * np.cos(angle)
    if parts == 2:
        matrix[:used, 1] = -times * np.sin(angle)
    return matrix.reshape(before * parts, length).astype(np.float32)


FOURIER: dict[str, Rule] = {"DFT": _transformed}
