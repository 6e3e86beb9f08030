"""LiteRT on the CPU with XNNPACK: what today's Android and iOS apps run.

Quantised input and output are converted outside the timed call, with the file's own scale and zero point.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from exporter.artifact import Artifact, Format
from exporter.runtimes.base import Image, Session, engine_call
from exporter.runtimes.cpu import threads_on_cpu
from exporter.runtimes.installed import not_installed, version_of
from exporter.runtimes.placement import Placement, by_xnnpack
from exporter.runtimes.worker import Stored

if TYPE_CHECKING:
    from exporter.runtimes.interpreter_worker import TfliteModel

ENGINE = "LiteRT"


class LiteRtCpu:
    name: ClassVar[str] = "litert_cpu"
    takes: ClassVar[Format] = Format.TFLITE

    def missing(self) -> str | None:
        return not_installed("ai_edge_litert", "pip install 'exporter[export]'")

    def device(self, threads: int) -> str:
        return f"{ENGINE} {version_of('ai-edge-litert')} XNNPACK, {threads_on_cpu(threads)}"

    def open(self, artifact: Artifact, threads: int) -> LiteRtSession:
        from ai_edge_litert.interpreter import Interpreter

        from exporter.runtimes.interpreter_worker import TfliteModel, opened

        with engine_call(ENGINE, artifact):
            interpreter = Interpreter(model_path=str(artifact.path), num_threads=threads)
            model = TfliteModel(opened(interpreter, artifact.signature), artifact.input.layout, artifact.output.layout)
        return LiteRtSession(model, artifact)


class LiteRtSession(Session):
    def __init__(self, model: TfliteModel, artifact: Artifact) -> None:
        self._model: TfliteModel | None = model
        self._artifact = artifact

    def infer(self, image: Image) -> Image:
        with engine_call(ENGINE, self._artifact):
            return self._open().infer(image)

    def time_ms(self, image: Image, runs: int, warmup: int) -> list[float]:
        with engine_call(ENGINE, self._artifact):
            return self._open().time_ms(image, runs, warmup)

    def stored_all(self, images: Sequence[Image]) -> list[list[Stored]]:
        """As `FolderSession` has it."""
        with engine_call(ENGINE, self._artifact):
            return [self._open().stored(image) for image in images]

    def placement(self) -> Placement | None:
        with engine_call(ENGINE, self._artifact):
            left = self._open().left_by_delegate()
        return None if left is None else by_xnnpack(self._artifact, left)

    def _open(self) -> TfliteModel:
        if self._model is None:
            raise ValueError("this session was closed")
        return self._model

    def __exit__(self, *_: object) -> None:
        self._model = None
