"""How a tensor of a .tflite stores real values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.graph.tflite_editor import TfliteGraph

Array = NDArray[Any]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TensorParams:
    """real = (stored - zero_point) * scale; as they are when `scale` is 0."""

    dtype: np.dtype[Any]
    scale: float
    zero_point: int

    def stored(self, real: Floats) -> Array:
        if not self.scale:
            return real.astype(self.dtype)
        limits = np.iinfo(self.dtype)
        steps = np.rint(real / np.float32(self.scale)) + self.zero_point
        return np.asarray(np.clip(steps, limits.min, limits.max), self.dtype)

    def real(self, stored: Array) -> Floats:
        if not self.scale:
            return stored.astype(np.float32, copy=False)
        return (stored.astype(np.float32) - self.zero_point) * np.float32(self.scale)

    @property
    def ends(self) -> tuple[float, float] | None:
        if not self.scale:
            return None
        limits = np.iinfo(self.dtype)
        return (limits.min - self.zero_point) * self.scale, (limits.max - self.zero_point) * self.scale


def params_of(graph: TfliteGraph, index: int) -> TensorParams:
    dtype, stored = np.dtype(graph.dtype(index).lower()), graph.quantization(index)
    if dtype.kind not in "iu" or stored is None:
        return TensorParams(dtype, 0.0, 0)
    return TensorParams(dtype, float(stored[0][0]), int(stored[1][0]))
