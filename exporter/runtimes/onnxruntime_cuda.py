"""ONNX Runtime's CUDA provider. It has no INT8 convolutions: a Q/DQ file runs in float between its pairs, "fake-quant".

A provider that does not load only warns, and everything silently runs on the CPU: here that is an error.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, ClassVar

from exporter.artifact import Artifact, Format
from exporter.engines.process import last_words, run_program
from exporter.errors import EngineError
from exporter.runtimes import providers
from exporter.runtimes.base import Image, Session, engine_call
from exporter.runtimes.cuda import event_times_ms, from_gpu, missing_torch_cuda, on_gpu, rotated, to_gpu
from exporter.runtimes.installed import not_installed, version_of
from exporter.runtimes.placement import Placement, by_provider

if TYPE_CHECKING:
    from torch import Tensor

ENGINE = "ONNX Runtime CUDA"
PROVIDER = "CUDAExecutionProvider"
PLACEMENT_TIMEOUT_S = 600
_ERRORS_ONLY = 3


class OnnxRuntimeCuda:
    name: ClassVar[str] = "onnxruntime_cuda"
    takes: ClassVar[Format] = Format.ONNX
    cpu_twin: ClassVar[str] = "onnxruntime_cpu"

    def missing(self) -> str | None:
        if why := missing_torch_cuda() or not_installed("onnxruntime", "pip install onnxruntime-gpu"):
            return why
        import onnxruntime

        if PROVIDER not in onnxruntime.get_available_providers():
            return f"onnxruntime {onnxruntime.__version__} has no {PROVIDER}: replace it by onnxruntime-gpu"
        return None

    def device(self, threads: int) -> str:
        version = version_of("onnxruntime-gpu")
        return f"ONNX Runtime {version} CUDA, Q/DQ as fake-quant, {on_gpu()}"

    def open(self, artifact: Artifact, threads: int) -> OnnxRuntimeCudaSession:
        import onnxruntime
        import torch  # brings the CUDA libraries that preload_dlls finds

        with engine_call(ENGINE, artifact):
            if hasattr(onnxruntime, "preload_dlls"):
                onnxruntime.preload_dlls()
            options = onnxruntime.SessionOptions()
            options.log_severity_level = _ERRORS_ONLY
            options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
            stream = torch.cuda.current_stream().cuda_stream
            provider = (PROVIDER, {"user_compute_stream": str(stream), "use_tf32": "0"})
            session = onnxruntime.InferenceSession(str(artifact.path), options, providers=[provider])
        require_provider(session, artifact)
        return OnnxRuntimeCudaSession(session, artifact)


def require_provider(session: Any, artifact: Artifact) -> None:
    """Raises EngineError when the session fell back to another provider."""
    chosen = session.get_providers()
    if not chosen or chosen[0] != PROVIDER:
        raise EngineError(f"{ENGINE} gave {artifact.path.name} to {', '.join(chosen) or 'nobody'}, not to {PROVIDER}")


def placed_on_cuda(artifact: Artifact) -> Placement:
    """Where ONNX Runtime puts the operators of `artifact` when CUDA is asked for. Raises EngineError."""
    command = [sys.executable, providers.__file__, str(artifact.path), PROVIDER, json.dumps([artifact.input.shape])]
    late = f"{ENGINE} did not say where the operators of {artifact.path.name} run"
    done = run_program(command, timeout_s=PLACEMENT_TIMEOUT_S, late=late)
    if done.returncode:
        raise EngineError(f"{late}: {last_words(done)}")
    return by_provider(json.loads(done.stdout.splitlines()[-1]), PROVIDER, done.stderr)


class OnnxRuntimeCudaSession(Session):
    def __init__(self, session: Any, artifact: Artifact) -> None:
        self._session, self._artifact = session, artifact

    def infer(self, image: Image) -> Image:
        with engine_call(ENGINE, self._artifact):
            return from_gpu(self._run(to_gpu(image, self._artifact.input.layout)), self._artifact.output.layout)

    def time_ms(self, image: Image, runs: int, warmup: int) -> list[float]:
        with engine_call(ENGINE, self._artifact):
            return event_times_ms(self._run, rotated(image, self._artifact.input.layout), runs, warmup)

    def placement(self) -> Placement:
        """Of another session, in which what CUDA does not take may go to the CPU; the one that computes refuses."""
        return placed_on_cuda(self._artifact)

    def _run(self, given: Tensor) -> Tensor:
        """One call on tensors that stay on the GPU. The result starts as NaN: what is not written shows."""
        import numpy as np
        import torch

        if self._session is None:
            raise ValueError("this session was closed")
        result = torch.full_like(given, float("nan"))  # a picture of the same size and layout
        bound = self._session.io_binding()
        (source,), (target,) = self._session.get_inputs(), self._session.get_outputs()
        for end, tensor, bind in ((source, given, bound.bind_input), (target, result, bound.bind_output)):
            bind(end.name, "cuda", 0, np.float32, tuple(tensor.shape), tensor.data_ptr())
        self._session.run_with_iobinding(bound)
        return result

    def __exit__(self, *_: object) -> None:
        self._session = None
