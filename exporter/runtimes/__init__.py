"""All runtimes by name. Add yours here: one file, one line. Importing this package loads no engine."""

from __future__ import annotations

from exporter.runtimes.android_adb import AndroidAdb
from exporter.runtimes.arm import LiteRtArm, LiteRtArmFp16, TfliteRuntimeArm
from exporter.runtimes.base import Runtime
from exporter.runtimes.litert_cpu import LiteRtCpu
from exporter.runtimes.litert_gpu import LiteRtGpu, LiteRtGpuFp32
from exporter.runtimes.litert_versions import LiteRt210, LiteRt216, LiteRt230, LiteRtCompiledCpu, LiteRtRelease
from exporter.runtimes.litert_web import LiteRtWeb, LiteRtWebGpu
from exporter.runtimes.npu import Npu
from exporter.runtimes.onnxruntime_cpu import OnnxRuntimeCpu
from exporter.runtimes.onnxruntime_cuda import OnnxRuntimeCuda
from exporter.runtimes.tensorflow_lite import TensorflowLite
from exporter.runtimes.tensorrt import Tensorrt, TensorrtRtx
from exporter.runtimes.tflite_runtime import TfliteRuntime
from exporter.runtimes.torch_cpu import TorchCpu
from exporter.runtimes.torch_cuda import (
    TorchCuda,
    TorchCudaChannelsLast,
    TorchCudaCompiled,
    TorchCudaGraph,
    TorchCudaHalf,
)
from exporter.suggestions import named

__all__ = ["CPU_RUNTIMES", "CUDA_RUNTIMES", "LITERT_VERSIONS", "RUNTIMES", "runtime"]

CPU_RUNTIMES: tuple[Runtime, ...] = (TorchCpu(), OnnxRuntimeCpu(), LiteRtCpu(), TfliteRuntime())
CUDA_RUNTIMES: tuple[Runtime, ...] = (
    TorchCuda(),
    TorchCudaChannelsLast(),
    TorchCudaHalf(),
    TorchCudaCompiled(),
    TorchCudaGraph(),
    OnnxRuntimeCuda(),
    TensorrtRtx(),
    Tensorrt(),
)
# What apps ship: LiteRT's releases, CompiledModel of the newest, the last tflite-runtime, and TensorFlow's own.
LITERT_VERSIONS: tuple[LiteRtRelease, ...] = (
    LiteRt210(),
    LiteRt216(),
    LiteRt230(),
    LiteRtCompiledCpu(),
    TfliteRuntime(),
    TensorflowLite(),
)
RUNTIMES: tuple[Runtime, ...] = (
    *CPU_RUNTIMES,
    *(release for release in LITERT_VERSIONS if not isinstance(release, TfliteRuntime)),
    *CUDA_RUNTIMES,
    # Phones' engines on this machine, put together by `exporter runtimes --install`. They prove, they are not timed.
    LiteRtGpu(),
    LiteRtGpuFp32(),
    LiteRtArm(),
    LiteRtArmFp16(),
    TfliteRuntimeArm(),
    AndroidAdb(),
    Npu(),
    # A browser's engine. What it computes on its own threads is timed.
    LiteRtWeb(),
    LiteRtWebGpu(),
)


def runtime(name: str) -> Runtime:
    """The runtime called `name`. Raises RecipeError, with the known names, for any other."""
    return named(name, {known.name: known for known in RUNTIMES}, "runtime")
