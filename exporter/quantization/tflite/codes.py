"""The integers that activations of a .tflite become: eight bits with a zero point, or sixteen around zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from exporter.graph.operators import INT8_KERNELS, Int8Kernel
from exporter.graph.sixteen_bit import INT16_KERNELS
from exporter.quantization.params import HIGHEST_16, PIXELS, PIXELS_16, Affine, Range


@dataclass(frozen=True, slots=True)
class Code:
    """`pixels` holds a picture at the file's ends; `bias` is what sums are kept in. `symmetric`: no zero point, so that
    zero lies in the middle and storing a value cuts it off above alone."""

    dtype: str
    kernels: Mapping[str, Int8Kernel]
    pixels: Affine
    bias: type[np.signedinteger[Any]]
    symmetric: bool
    versions: tuple[int, int]  # of DEQUANTIZE from it and of QUANTIZE to it

    @property
    def numbers(self) -> int:
        """How many there are."""
        return self.pixels.highest - self.pixels.lowest + 1

    def of_range(self, values: Range, *, symmetric: bool = False) -> Affine:
        """The finest that holds `values`. Raises ValueError for what is not finite."""
        if self.symmetric:
            return Affine.symmetric(values, HIGHEST_16)
        return Affine.symmetric(values) if symmetric else Affine.of_range(values)


INT8 = Code("INT8", INT8_KERNELS, PIXELS, np.int32, symmetric=False, versions=(2, 1))
INT16 = Code("INT16", INT16_KERNELS, PIXELS_16, np.int64, symmetric=True, versions=(3, 2))
