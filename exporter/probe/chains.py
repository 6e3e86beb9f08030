"""The stages of a recipe that lead to each target, every shared one run once, whatever becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from exporter.artifact import Artifact
from exporter.progress import Progress, Silent, Task
from exporter.stages import Stage
from exporter.stages.base import Workspace
from exporter.stages.onnx_to_tflite import OnnxToTflite
from exporter.stages.quantize_onnx import QuantizeOnnx
from exporter.stages.quantize_tflite import QuantizeTflite
from exporter.stages.simplify_onnx import SimplifyOnnx
from exporter.stages.torch_to_onnx import TorchToOnnx

MEND_S = 4  # a recipe takes more time to look for layers that int8 is too coarse for
_ONNX: tuple[Stage, ...] = (TorchToOnnx(), SimplifyOnnx())
_TFLITE: tuple[Stage, ...] = (*_ONNX, OnnxToTflite())
CHAINS: dict[str, tuple[Stage, ...]] = {
    "onnx": _ONNX,
    "tflite_fp32": _TFLITE,
    "tflite_fp16": (*_TFLITE, QuantizeTflite(precision="fp16")),
    "tflite_int8": (*_TFLITE, QuantizeTflite(float_fallback_s=MEND_S)),
    "onnx_int8": (*_ONNX, QuantizeOnnx(float_fallback_s=MEND_S)),
}


@dataclass(frozen=True, slots=True)
class Made:
    """A target's file, and what its stages said on the way."""

    artifact: Artifact
    said: tuple[str, ...]


@dataclass
class Chains:
    """Runs chains from one network file; a stage that two of them share runs, or fails, once."""

    workspace: Workspace
    loaded: Artifact
    before: Callable[[], None]  # what is done before each stage
    _done: dict[tuple[str, ...], Made | Exception] = field(default_factory=dict)

    def make(self, target: str) -> Made:
        """Raises what the first stage raised that failed."""
        made = Made(self.loaded, ())
        stages = CHAINS[target]
        for i, stage in enumerate(stages, 1):
            key = tuple(map(str, stages[:i]))
            if key not in self._done:
                self._done[key] = self._run(stage, made)
            done = self._done[key]
            if isinstance(done, Exception):
                raise done
            made = done
        return made

    def _run(self, stage: Stage, source: Made) -> Made | Exception:
        folder = Path(self.workspace.folder / f"{len(self._done)}_{stage.name}")
        folder.mkdir()
        lines = _Lines(self.workspace.progress)
        lines.shown.say(f"{stage}: running")
        lines.doing(str(stage))
        self.before()
        try:
            artifact = stage.run(source.artifact, replace(self.workspace, folder=folder, progress=lines))
        except Exception as error:  # whatever an engine raises: the other targets go on
            return error
        return Made(artifact, (*source.said, *lines.said))


@dataclass
class _Lines(Silent):
    """Progress that keeps what a stage says."""

    shown: Progress
    said: list[str] = field(default_factory=list)

    def say(self, line: str) -> None:
        self.said.append(line)

    def doing(self, what: str) -> None:
        self.shown.doing(what)

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Task]:
        with self.shown.task(name, total) as task:
            yield task

    def log(self, text: str) -> None:
        self.shown.log(text)
