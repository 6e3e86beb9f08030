"""PyTorch eager on the CPU: the float reference every exported file is compared with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from exporter.artifact import Artifact, Format
from exporter.carried import sources_of, walk
from exporter.runtimes.base import Image, Session, engine_call, times_ms
from exporter.runtimes.cpu import threads_on_cpu
from exporter.runtimes.installed import not_installed, version_of

if TYPE_CHECKING:
    from torch import Tensor, nn


class TorchCpu:
    name: ClassVar[str] = "torch_cpu"
    takes: ClassVar[Format] = Format.TORCH

    def missing(self) -> str | None:
        return not_installed("torch", "pip install 'exporter[export]'")

    def device(self, threads: int) -> str:
        return f"PyTorch {version_of('torch')} eager CPU, {threads_on_cpu(threads)}"

    def open(self, artifact: Artifact, threads: int) -> TorchSession:
        from exporter.generators.network_file import read_network

        with engine_call("PyTorch", artifact):
            return TorchSession(read_network(artifact.path, artifact.user_classes).eval(), artifact, threads)


def shown_by(network: nn.Module, x: Tensor, channels: int) -> Tensor:
    """(N, C, H, W) to the network's picture; of one with a state, which has `channels`, (1, T·C, H, W) to all T."""
    import torch

    from exporter.generators.carrying import fresh, output_names
    from exporter.generators.network_file import carried

    ends = carried(network)
    if not ends:
        return torch.as_tensor(network(x))
    frames = torch.split(x, channels, 1)
    sources = sources_of(["input", *(end.name for end in ends)], ["output", *output_names(ends)])
    return torch.cat(walk(frames, fresh(ends, frames[0]), sources, lambda fed: network(*fed)), 1)


class TorchSession(Session):
    def __init__(self, network: nn.Module, artifact: Artifact, threads: int) -> None:
        self._network: nn.Module | None = network
        self._artifact, self._threads = artifact, threads

    def infer(self, image: Image) -> Image:
        with self._ready(image) as (network, tensor):
            picture = shown_by(network, tensor, self._artifact.input.channels)[0].permute(1, 2, 0).contiguous().numpy()
        result: Image = picture
        return result

    def time_ms(self, image: Image, runs: int, warmup: int) -> list[float]:
        with self._ready(image) as (network, tensor):
            frame = tensor[:, : self._artifact.input.channels]
            return times_ms(lambda: network(frame), runs, warmup)

    @contextmanager
    def _ready(self, image: Image) -> Iterator[tuple[nn.Module, Tensor]]:
        """The network and the image as (1, 3, H, W), under our thread count: torch has one per process."""
        import torch

        if self._network is None:
            raise ValueError("this session was closed")
        before = torch.get_num_threads()
        torch.set_num_threads(self._threads)
        try:
            with engine_call("PyTorch", self._artifact), torch.inference_mode():
                yield (
                    self._network,
                    torch.from_numpy(image.transpose(2, 0, 1).copy())[None],
                )  # a network may write into it
        finally:
            torch.set_num_threads(before)

    def __exit__(self, *_: object) -> None:
        self._network = None
