"""What runs a file that was compiled for a chip's NPU: that chip in a phone, nothing here."""

from __future__ import annotations

from typing import ClassVar

from exporter.artifact import Artifact, Format
from exporter.errors import EngineError
from exporter.runtimes.base import Session

WHY = "a file compiled for an NPU runs on a device with that chip alone, with LiteRT's dispatch library of its vendor"


class Npu:
    """Stands for devices that are not here, so that a recipe can make such files; nothing is measured on it."""

    name: ClassVar[str] = "npu"
    takes: ClassVar[Format] = Format.NPU

    def missing(self) -> str | None:
        return WHY

    def device(self, threads: int) -> str:
        return "the chip's NPU"

    def open(self, artifact: Artifact, threads: int) -> Session:
        raise EngineError(WHY)
