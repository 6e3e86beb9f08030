"""LiteRT in a headless browser, with the faces of the TensorFlow Lite interpreter that our worker knows."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from exporter.browser.chromium import Chromium
from exporter.browser.page import engine_files, page_files
from exporter.browser.server import LoopbackServer
from exporter.errors import EngineError

Accelerator = Literal["wasm", "webgpu"]
FLAGS: dict[Accelerator, tuple[str, ...]] = {
    "wasm": ("--disable-gpu",),
    "webgpu": ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-unsafe-swiftshader"),
}
CALL_TIMEOUT_S = 1800.0


@dataclass(frozen=True, slots=True)
class WebEngine:
    """A browser's `program`, what it has to find in its environment, and the folder with the engine's `files`."""

    program: Path
    env: Mapping[str, str]
    files: Path


@dataclass(frozen=True, slots=True)
class Running:
    """What the page found: the engine's build and SIMD, its threads, the GPU's adapter, and whether that, or
    XNNPACK, took every operator."""

    build: str
    simd: str
    threads: int
    adapter: str
    whole: bool


class BrowserInterpreter:
    """One file in one browser; leaving it ends both.

    `served`: another file for the browser than the one that is described.
    Raises EngineError when the browser or the engine does not start or does not take the file.
    """

    def __init__(
        self,
        model: Path,
        engine: WebEngine,
        accelerator: Accelerator = "wasm",
        threads: int = 1,
        served: Path | None = None,
    ) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._described = Interpreter(model_path=str(model))
        self._open = ExitStack()
        try:
            table = page_files() | engine_files(engine.files) | {"/model.tflite": served or model}
            server = self._open.enter_context(LoopbackServer(table))
            self.browser = self._open.enter_context(Chromium(engine.program, FLAGS[accelerator], engine.env))
            self.browser.open(f"{server.address}/job.html")
            self.browser.wait_for("globalThis.job")
            self.said = self._call("start", accelerator, threads)
        except BaseException:
            self._open.close()
            raise
        self.running = Running(**{name: self.said[name] for name in ("build", "simd", "threads", "adapter", "whole")})
        self._fed: dict[int, Any] = {}
        self._made: dict[int, Any] = {}
        names = list(self._described.get_signature_list())
        self.of_signature(names[0] if names else "")

    def of_signature(self, name: str) -> Self:
        """Itself, from now on for that signature of its file; "" where it has none."""
        if name:
            runner = self._described.get_signature_runner(name)
            inputs, outputs = runner.get_input_details(), runner.get_output_details()
        else:
            ends = self._described.get_input_details(), self._described.get_output_details()
            inputs, outputs = ({one["name"]: one for one in end} for end in ends)
        keys = [signature["key"] for signature in self.said["signatures"]]
        self._signature = keys.index(name) if name else 0
        theirs = self.said["signatures"][self._signature]
        self._inputs, self._outputs = (
            [ours[end["name"]] for end in theirs[side]] for ours, side in ((inputs, "inputs"), (outputs, "outputs"))
        )
        return self

    def allocate_tensors(self) -> None:
        """Done by compiling."""

    def get_input_details(self) -> list[Any]:
        return sorted(self._inputs, key=_in_file(self._described.get_input_details()))

    def get_output_details(self) -> list[Any]:
        return sorted(self._outputs, key=_in_file(self._described.get_output_details()))

    def set_tensor(self, index: int, values: Any) -> None:
        self._fed[index] = values

    def invoke(self) -> None:
        import numpy as np

        made = self._call("run", self._texts(), self._signature)
        for text, detail in zip(made, self._outputs, strict=True):
            stored = np.frombuffer(base64.b64decode(text), detail["dtype"])
            self._made[detail["index"]] = stored.reshape(detail["shape"])

    def get_tensor(self, index: int) -> Any:
        return self._made[index]

    def time_ms(self, runs: int, warmup: int) -> list[float]:
        """How long each call took in the browser, by its own clock, on what was set last."""
        return [float(sample) for sample in self._call("time", self._texts(), self._signature, runs, warmup)]

    def close(self) -> None:
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _texts(self) -> list[str]:
        import numpy as np

        tensors = (np.ascontiguousarray(self._fed[detail["index"]]) for detail in self._inputs)
        return [base64.b64encode(tensor.tobytes()).decode() for tensor in tensors]

    def _call(self, name: str, *words: Any) -> Any:
        written = ", ".join(map(json.dumps, words))
        answer = self.browser.evaluate(f"job.{name}({written})", timeout_s=CALL_TIMEOUT_S)
        if answer is None:
            raise EngineError(f"the page gave no answer to {name}")
        return answer


def _in_file(details: list[Any]) -> Any:
    """Sorts ends as the file has them: the picture first, then what is carried."""
    places = {detail["index"]: place for place, detail in enumerate(details)}
    return lambda detail: places.get(detail["index"], len(places))
