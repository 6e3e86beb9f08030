"""What a runtime is: an engine on a device where an artifact can run and be timed."""

from __future__ import annotations

from typing import ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from exporter.artifact import Artifact, Format

Image = NDArray[np.float32]  # (height, width, 3), RGB, 0..1


class Session(Protocol):
    """A loaded model. Images in and out: float32 (H, W, 3) RGB in 0..1, whatever is inside.

    `time_ms` times the model call only: no layout change, no (de)quantization done by us.
    """

    def infer(self, image: Image) -> Image: ...
    def time_ms(self, image: Image, runs: int, warmup: int) -> list[float]: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...


class Runtime(Protocol):
    """`device` says what the numbers were measured on, e.g. `LiteRT 2.1.0 XNNPACK, 2 threads, AMD EPYC`."""

    name: ClassVar[str]
    takes: ClassVar[Format]

    def missing(self) -> str | None:
        """Why this runtime cannot work here and what to install, in one line; None when it can."""

    def device(self, threads: int) -> str: ...
    def open(self, artifact: Artifact, threads: int) -> Session: ...
