"""PyTorch on an NVIDIA GPU, in the ways people deploy it: as it is, channels last, fp16, compiled, as a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from exporter.artifact import Artifact, Format
from exporter.runtimes import cuda
from exporter.runtimes.base import Image, Session, engine_call
from exporter.runtimes.cuda import event_times_ms, from_gpu, missing_torch_cuda, on_gpu, rotated, to_gpu
from exporter.runtimes.installed import version_of

if TYPE_CHECKING:
    from torch import Tensor, nn

ENGINE = "PyTorch CUDA"


class TorchCuda:
    """Eager float32 with TF32 off: what the CPU computes, on a GPU."""

    name: ClassVar[str] = "torch_cuda"
    takes: ClassVar[Format] = Format.TORCH
    kind: ClassVar[str] = "eager float32"
    channels_last: ClassVar[bool] = False
    half: ClassVar[bool] = False
    compiled: ClassVar[bool] = False
    graph: ClassVar[bool] = False

    def missing(self) -> str | None:
        return missing_torch_cuda()

    def device(self, threads: int) -> str:
        return f"PyTorch {version_of('torch')} {self.kind}, {on_gpu()}"

    def open(self, artifact: Artifact, threads: int) -> TorchCudaSession:
        import torch

        from exporter.generators.network_file import read_network

        with engine_call(ENGINE, artifact):
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
            layout = torch.channels_last if self.channels_last else torch.contiguous_format
            dtype = torch.float16 if self.half else torch.float32
            network: Any = read_network(artifact.path, artifact.user_classes).eval()
            network = network.to(cuda.DEVICE, dtype, memory_format=layout)
            call = torch.compile(network, mode="max-autotune-no-cudagraphs") if self.compiled else network
            return TorchCudaSession(call, artifact, dtype, layout, self.graph)


class TorchCudaChannelsLast(TorchCuda):
    name: ClassVar[str] = "torch_cuda_channels_last"
    kind: ClassVar[str] = "eager float32, channels last"
    channels_last: ClassVar[bool] = True


class TorchCudaHalf(TorchCudaChannelsLast):
    name: ClassVar[str] = "torch_cuda_fp16"
    kind: ClassVar[str] = "eager float16, channels last"
    half: ClassVar[bool] = True


class TorchCudaCompiled(TorchCudaHalf):
    name: ClassVar[str] = "torch_cuda_compile"
    kind: ClassVar[str] = "torch.compile float16, channels last"
    compiled: ClassVar[bool] = True


class TorchCudaGraph(TorchCudaHalf):
    name: ClassVar[str] = "torch_cuda_graph"
    kind: ClassVar[str] = "CUDA graph float16, channels last"
    graph: ClassVar[bool] = True


class TorchCudaSession(Session):
    def __init__(self, network: Any, artifact: Artifact, dtype: Any, memory_format: Any, graph: bool) -> None:
        self._network: nn.Module | None = network
        self._artifact, self._dtype, self._memory_format, self._as_graph = artifact, dtype, memory_format, graph
        self._recorded: dict[tuple[int, ...], Callable[[Tensor], Tensor]] = {}

    def infer(self, image: Image) -> Image:
        import torch

        with engine_call(ENGINE, self._artifact), torch.inference_mode():
            given = self._laid_out(to_gpu(image, "NCHW", self._dtype))
            return from_gpu(self._call(given)(given), "NCHW")

    def time_ms(self, image: Image, runs: int, warmup: int) -> list[float]:
        import torch

        with engine_call(ENGINE, self._artifact), torch.inference_mode():
            inputs = [self._laid_out(each) for each in rotated(image, "NCHW", self._dtype)]
            return event_times_ms(self._call(inputs[0]), inputs, runs, warmup)

    def _laid_out(self, tensor: Tensor) -> Tensor:
        return tensor.contiguous(memory_format=self._memory_format)

    def _call(self, given: Tensor) -> Callable[[Tensor], Tensor]:
        if self._network is None:
            raise ValueError("this session was closed")
        if not self._as_graph:
            return self._network
        shape = tuple(given.shape)
        if shape not in self._recorded:
            self._recorded[shape] = _record(self._network, given)
        return self._recorded[shape]

    def __exit__(self, *_: object) -> None:
        self._network = None
        self._recorded.clear()


def _record(network: nn.Module, given: Tensor) -> Callable[[Tensor], Tensor]:
    """The network as one recorded graph; the copy into its input is part of a call, as it is in an application."""
    import torch

    held = given.clone(memory_format=torch.preserve_format)
    side: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # libraries choose their kernels before anything is recorded
        for _ in range(3):
            network(held)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result: Tensor = network(held)

    def replay(tensor: Tensor) -> Tensor:
        held.copy_(tensor)
        graph.replay()
        return result

    return replay
