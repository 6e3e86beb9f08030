"""LiteRT in a browser: WebAssembly with SIMD and threads, or WebGPU, in a headless Chromium.

The engine lies in the browser, the numbers around it are ours: a picture is stored, and carried states are fed, by the
same code as beside LiteRT for Python. Times are taken by the browser's own clock, around the model call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from exporter.artifact import Artifact, Format
from exporter.engines.litert_web import LiteRtWebEngine
from exporter.errors import EngineError
from exporter.runtimes.base import Image, Session, engine_call
from exporter.runtimes.cpu import available_cores, threads_on_cpu
from exporter.runtimes.litert_gpu import GPU
from exporter.runtimes.placement import XNNPACK, Placement, whole

if TYPE_CHECKING:
    from exporter.browser.interpreter import Accelerator, BrowserInterpreter
    from exporter.runtimes.interpreter_worker import TfliteModel

SOFTWARE = "swiftshader"  # the adapter that WebGPU was checked on


class LiteRtWeb:
    name: ClassVar[str] = "litert_web"
    takes: ClassVar[Format] = Format.TFLITE
    accelerator: ClassVar[Accelerator] = "wasm"

    def __init__(self) -> None:
        self._web = LiteRtWebEngine()

    def missing(self) -> str | None:
        return self._web.installed()

    def device(self, threads: int) -> str:
        simd = self._web.checked.get("simd", "(not checked)")
        return f"{self._engine} WebAssembly with {simd}, {threads_on_cpu(_granted(threads))}"

    def open(self, artifact: Artifact, threads: int) -> WebSession:
        from exporter.browser.interpreter import BrowserInterpreter
        from exporter.runtimes.interpreter_worker import TfliteModel

        with engine_call(self.name, artifact):
            interpreter = BrowserInterpreter(artifact.path, self._web.web, self.accelerator, _granted(threads))
            try:
                if artifact.signature:
                    interpreter.of_signature(artifact.signature)
                self._check(interpreter, threads)
                model = TfliteModel(interpreter, artifact.input.layout, artifact.output.layout)
            except BaseException:
                interpreter.close()
                raise
        return WebSession(self.name, interpreter, model, artifact)

    @property
    def _engine(self) -> str:
        return f"LiteRT.js {self._web.engine_version} in Chromium {self._web.browser_version}"

    def _check(self, interpreter: BrowserInterpreter, threads: int) -> None:
        if interpreter.running.threads != _granted(threads):
            raise EngineError(f"the browser computes on {interpreter.running.threads} threads, not {_granted(threads)}")


class LiteRtWebGpu(LiteRtWeb):
    """Its precision is the adapter's: SwiftShader has no half precision, so fp32."""

    name: ClassVar[str] = "litert_web_gpu"
    accelerator: ClassVar[Accelerator] = "webgpu"
    cpu_twin: ClassVar[str] = "litert_cpu"
    untimed: ClassVar[str] = "a software GPU's times say nothing about a phone's"

    def missing(self) -> str | None:
        if reason := super().missing():
            return reason
        found = str(self._web.checked.get("webgpu", ""))
        return None if SOFTWARE in found else f"WebGPU is {found}"

    def device(self, threads: int) -> str:
        adapter = self._web.checked.get("webgpu", "(no adapter)")
        return f"{self._engine} WebGPU in fp32 on {adapter}, {threads_on_cpu(threads)}"

    def _check(self, interpreter: BrowserInterpreter, threads: int) -> None:
        """A file counts as run only when the GPU takes every operator of it."""
        from exporter.engines.gpu_probe import reason_in

        said = "\n".join(interpreter.browser.complaints)
        if not interpreter.running.whole:
            raise EngineError(f"WebGPU does not take all of it: {reason_in(said, 'it does not say why')}")
        if SOFTWARE not in interpreter.running.adapter:
            raise EngineError(f"WebGPU ran on {interpreter.running.adapter or 'an unnamed adapter'}, not on {SOFTWARE}")


class WebSession(Session):
    """One browser for as long as it is open."""

    def __init__(self, name: str, interpreter: BrowserInterpreter, model: TfliteModel, artifact: Artifact) -> None:
        self._name, self._interpreter, self._model, self._artifact = name, interpreter, model, artifact

    def infer(self, image: Image) -> Image:
        with engine_call(self._name, self._artifact):
            return self._model.infer(image)

    def time_ms(self, image: Image, runs: int, warmup: int) -> list[float]:
        with engine_call(self._name, self._artifact):
            self._model.feed(image)
            return self._interpreter.time_ms(runs, warmup)

    def placement(self) -> Placement | None:
        """WebGPU took the whole file, or there would be no session; of XNNPACK the engine tells that alone, too."""
        running = self._interpreter.running
        if running.adapter:
            return whole(self._artifact, GPU, running.adapter)
        return whole(self._artifact, XNNPACK, f"{XNNPACK} in WebAssembly") if running.whole else None

    def __exit__(self, *_: object) -> None:
        self._interpreter.close()


def _granted(threads: int) -> int:
    """A browser starts no more threads than there are cores."""
    return min(threads, available_cores())
