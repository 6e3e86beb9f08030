"""Writes a flatbuffer as engines want a .tflite: weights where kernels read them in place."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

DATA_ALIGNMENT_BYTES = 16  # what the schema asks of every buffer


def aligned_builder() -> Any:
    """A builder whose buffers lie as kernels read them."""
    import flatbuffers

    class Aligned(flatbuffers.Builder):  # type: ignore[misc, unused-ignore]
        """The generated code aligns bytes to 1; the schema says 16."""

        def CreateNumpyVector(self, x: NDArray[Any]) -> Any:  # noqa: N802
            if x.dtype != np.uint8:
                return super().CreateNumpyVector(x)
            payload = x.tobytes()
            self.StartVector(1, len(payload), DATA_ALIGNMENT_BYTES)
            self.head -= len(payload)
            self.Bytes[self.head : self.head + len(payload)] = payload
            self.vectorNumElems = len(payload)
            return self.EndVector()

    return Aligned(1 << 20)
