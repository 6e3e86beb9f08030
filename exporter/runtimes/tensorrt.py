"""TensorRT and TensorRT-RTX engines on an NVIDIA GPU; what TensorRT-RTX compiles for it is kept for next time."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar

from exporter.artifact import Artifact, Format
from exporter.errors import EngineError
from exporter.nvidia.cache import read_cache, write_cache
from exporter.nvidia.library import TITLES, Builder, Library, missing_library, open_library
from exporter.nvidia.sidecar import read_sidecar
from exporter.runtimes.base import Image, Session, engine_call
from exporter.runtimes.cuda import event_times_ms, from_gpu, missing_torch_cuda, on_gpu, rotated, to_gpu
from exporter.runtimes.placement import Placement

if TYPE_CHECKING:
    from torch import Tensor


class TensorrtRtx:
    name: ClassVar[str] = "tensorrt_rtx"
    takes: ClassVar[Format] = Format.TENSORRT
    builder: ClassVar[Builder] = "tensorrt_rtx"

    def missing(self) -> str | None:
        return missing_library(self.builder) or missing_torch_cuda()

    def device(self, threads: int) -> str:
        return f"{open_library(self.builder).title} engine, {on_gpu()}"

    def open(self, artifact: Artifact, threads: int) -> TensorrtSession:
        """Raises EngineError for an engine of the other builder or version, and for one this GPU cannot run."""
        library = open_library(self.builder)
        sidecar = read_sidecar(artifact.path)
        if sidecar.builder != self.builder:
            raise EngineError(f"{artifact.path.name} is for the runtime {sidecar.builder}, not for {self.name}")
        plan = artifact.path.read_bytes()
        if sha256(plan).hexdigest() != sidecar.plan_sha256:
            raise EngineError(f"{artifact.path.name} is not the engine its description is of")
        with engine_call(library.title, artifact):
            return TensorrtSession(library, plan, artifact)


class Tensorrt(TensorrtRtx):
    name: ClassVar[str] = "tensorrt"
    builder: ClassVar[Builder] = "tensorrt"


class TensorrtSession(Session):
    def __init__(self, library: Library, plan: bytes, artifact: Artifact) -> None:
        self._library, self._title, self._artifact = library, library.title, artifact
        self._logger = library.logger()
        self._runtime = library.module.Runtime(self._logger)
        engine = self._runtime.deserialize_cuda_engine(plan)
        if engine is None:  # no exception, the reason is in the log
            said = [message for _, message in self._logger.lines][-1:]
            raise EngineError(f"{library.title} refuses {artifact.path.name} here: {said or 'it gave no reason'}")
        self._engine: Any = engine
        self._names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        self._cache_key = f"jit-{sha256(plan + f'{library.title} {on_gpu()}'.encode()).hexdigest()[:16]}"
        self._kernels: Any = None
        self._context: Any = self._new_context()

    def _new_context(self) -> Any:
        """A context; with TensorRT-RTX one that knows the kernels an earlier session compiled for this GPU."""
        if not hasattr(self._engine, "create_runtime_config"):
            return self._engine.create_execution_context()
        config = self._engine.create_runtime_config()
        if hasattr(config, "create_runtime_cache"):
            self._kernels = config.create_runtime_cache()
            if kept := read_cache(self._cache_key):
                self._kernels.deserialize(kept)
            config.set_runtime_cache(self._kernels)
        return self._engine.create_execution_context(config)

    def infer(self, image: Image) -> Image:
        with engine_call(self._title, self._artifact):
            return from_gpu(self._run(to_gpu(image, self._artifact.input.layout)), self._artifact.output.layout)

    def time_ms(self, image: Image, runs: int, warmup: int) -> list[float]:
        with engine_call(self._title, self._artifact):
            inputs = rotated(image, self._artifact.input.layout)
            return event_times_ms(self._run, inputs, runs, warmup)

    def placement(self) -> Placement:
        """Of the layers of the engine: it runs on the GPU or, for want of a kernel, is not built."""
        trt = self._library.module
        with engine_call(self._title, self._artifact):
            inspector = self._engine.create_engine_inspector()
            said = inspector.get_engine_information(trt.LayerInformationFormat.JSON)
            count = len(json.loads(said)["Layers"])
        return Placement(TITLES[self._library.builder], on_gpu(), count, count)

    def _run(self, given: Tensor) -> Tensor:
        """One call on tensors that stay on the GPU. The result starts as NaN: what is not written shows."""
        import torch

        if self._context is None:
            raise ValueError("this session was closed")
        source, target = self._names
        if not self._context.set_input_shape(source, tuple(given.shape)):
            raise EngineError(f"{self._artifact.path.name} takes no picture of {tuple(given.shape)}")
        result = torch.full(tuple(self._context.get_tensor_shape(target)), float("nan"), device=given.device)
        self._context.set_tensor_address(source, given.data_ptr())
        self._context.set_tensor_address(target, result.data_ptr())
        if not self._context.execute_async_v3(torch.cuda.current_stream().cuda_stream):
            said = [message for _, message in self._logger.lines][-1:]
            raise EngineError(f"{self._title} could not run {self._artifact.path.name}: {said}")
        return result

    def __exit__(self, *_: object) -> None:
        if self._kernels is not None:
            write_cache(self._cache_key, bytes(memoryview(self._kernels.serialize())))
        self._kernels = self._context = self._engine = None
