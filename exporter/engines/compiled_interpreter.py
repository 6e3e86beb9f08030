"""LiteRT's CompiledModel, with the faces of the TensorFlow Lite interpreter that our worker knows.

Copied into a job folder as the engine's `interpreter` module, or run as `python compiled_interpreter.py MODEL …` to
learn which files the GPU takes. That is why this file imports nothing of the exporter.

With `EXPORTER_GPU_PRECISION`, which is fp16 (what phones do) or fp32, it is for the GPU alone, else for the CPU; with
`EXPORTER_GPU_COMPILE_ONLY=1` nothing is run. A call is write, run and read: on a GPU the run alone only queues.
With `EXPORTER_CPU_FP16=1` XNNPACK computes float files in half precision, on processors that can: an ARM since v8.2.
"""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
from contextlib import contextmanager
from time import perf_counter
from typing import Any

PRECISION = "EXPORTER_GPU_PRECISION"
COMPILE_ONLY = "EXPORTER_GPU_COMPILE_ONLY"
CPU_FP16 = "EXPORTER_CPU_FP16"
FORCE_FP16 = 4  # TFLITE_XNNPACK_DELEGATE_FLAG_FORCE_FP16 of TensorFlow Lite's xnnpack_delegate.h
MOST_TRIES = 5
FIRST = 64  # values of each tensor that a probe hands back


class Interpreter:
    """Raises RuntimeError when the GPU does not take every operator of the file, ValueError when no engine does."""

    def __init__(self, model_path: str, num_threads: int = 1) -> None:
        os.environ["LP_NUM_THREADS"] = str(num_threads)  # lavapipe reads it when the driver is loaded
        from ai_edge_litert.compiled_model import CompiledModel
        from ai_edge_litert.interpreter import Interpreter as Described

        described = Described(model_path)
        self._details = described.get_input_details(), described.get_output_details()
        try:
            self._model = CompiledModel.from_file(model_path, options=_options(num_threads))
        except RuntimeError:
            if not _for_gpu():
                described.allocate_tensors()  # this one names the operator that it lacks
            raise
        self._described, self._signature = described, 0
        self._make_buffers()
        self._fed: dict[int, Any] = {}
        self._made: dict[int, Any] = {}

    def of_signature(self, name: str) -> Interpreter:
        """Itself, from now on for that signature of its file."""
        runner = self._described.get_signature_runner(name)
        self._details = (list(runner.get_input_details().values()), list(runner.get_output_details().values()))
        self._signature = self._model.get_signature_index(name)
        self._make_buffers()
        return self

    def allocate_tensors(self) -> None:
        """Done by compiling."""

    def get_input_details(self) -> Any:
        return self._details[0]

    def get_output_details(self) -> Any:
        return self._details[1]

    def set_tensor(self, index: int, values: Any) -> None:
        (detail,) = (detail for detail in self._details[0] if detail["index"] == index)
        if tuple(values.shape) != tuple(detail["shape"]):
            raise ValueError(f"got a tensor of shape {values.shape}, the file takes {tuple(detail['shape'])}")
        self._fed[index] = values

    def invoke(self) -> None:
        """The engine gives a GPU a minute; a software GPU on a busy machine may need longer, then it is asked again."""
        for _ in range(MOST_TRIES - 1):
            try:
                return self._invoke()
            except RuntimeError:
                self._make_buffers()  # those of a failed call stay locked
        return self._invoke()

    def _invoke(self) -> None:
        for buffer, detail in zip(self._inputs, self._details[0]):  # noqa: B905
            buffer.write(self._fed[detail["index"]])
        self._model.run_by_index(self._signature, self._inputs, self._outputs)
        for buffer, detail in zip(self._outputs, self._details[1]):  # noqa: B905
            count = math.prod(int(side) for side in detail["shape"])
            self._made[detail["index"]] = buffer.read(count, detail["dtype"]).reshape(detail["shape"])

    def _get_ops_details(self) -> Any:
        """CompiledModel says only whether an accelerator took all; else the interpreter of its release lists them."""
        if self._model.is_fully_accelerated():
            return []
        self._described.allocate_tensors()
        return self._described._get_ops_details()

    def _make_buffers(self) -> None:
        self._inputs = self._model.create_input_buffers(self._signature)
        self._outputs = self._model.create_output_buffers(self._signature)

    def get_tensor(self, index: int) -> Any:
        return self._made[index]


def _for_gpu() -> bool:
    return PRECISION in os.environ


def _options(num_threads: int) -> Any:
    from ai_edge_litert.compiled_model import CpuOptions, GpuOptions, HardwareAccelerator, Options

    if not _for_gpu():
        flags = FORCE_FP16 if os.environ.get(CPU_FP16) == "1" else None
        cpu_options = CpuOptions(num_threads=num_threads, xnnpack_flags=flags)
        return Options(HardwareAccelerator.CPU, cpu_options=cpu_options)
    # Without benchmark_mode a run only queues, and the read that waits for it gives up after ten seconds.
    on_gpu = GpuOptions(enforce_f32=os.environ[PRECISION] == "fp32", benchmark_mode=True)
    # GPU alone: with the CPU beside it, refused operators would go there without a word.
    return Options(HardwareAccelerator.GPU, gpu_options=on_gpu)


def probe(model_path: str) -> dict[str, Any]:
    """Whether the GPU takes the file and what it makes of random pictures in 0..1; the engine's own words beside it."""
    answer: dict[str, Any] = {"error": "", "inputs": [], "outputs": []}
    start = perf_counter()
    with _log() as words:
        try:
            engine = Interpreter(model_path)
            if os.environ.get(COMPILE_ONLY) != "1":
                _run(engine, answer)
        except (RuntimeError, ValueError) as error:
            answer["error"] = str(error) or type(error).__name__
    return {**answer, "log": words[0], "seconds": perf_counter() - start}


def _run(engine: Interpreter, answer: dict[str, Any]) -> None:
    import numpy as np

    for detail in engine.get_input_details():
        values = np.random.default_rng(1).random(detail["shape"], dtype=np.float32)
        engine.set_tensor(detail["index"], values.astype(detail["dtype"]))
        answer["inputs"].append([float(value) for value in values.reshape(-1)[:FIRST]])
    engine.invoke()
    for detail in engine.get_output_details():
        made = engine.get_tensor(detail["index"]).astype(np.float32).reshape(-1)
        answer["outputs"].append([float(value) if np.isfinite(value) else None for value in made[:FIRST]])


@contextmanager
def _log() -> Any:
    """What C++ writes to stderr meanwhile."""
    words = [""]
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield words
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            words[0] = file.read().decode(errors="replace")


if __name__ == "__main__":
    for path in sys.argv[1:]:
        sys.stdout.write(json.dumps(probe(path)) + "\n")
        sys.stdout.flush()
