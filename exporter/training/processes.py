"""Several processes that train one network: `torchrun --nproc_per_node N -m exporter train …`.

Process r of N takes pictures r, r+N, r+2N … of the same global batch, so N processes see what one would have seen.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

PATIENCE = timedelta(hours=6)  # the others wait while the first one draws a pool or validates


@dataclass(frozen=True, slots=True)
class Processes:
    """Which process this is. One alone needs no process group."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """The one that writes files and talks."""
        return self.rank == 0

    @property
    def share(self) -> slice:
        """This process's pictures of every global batch."""
        return slice(self.rank, None, self.count)

    def together(self, network: nn.Module, device: torch.device) -> nn.Module:
        """`network` such that its gradients become the mean over all processes.

        Batch statistics are those of the whole batch on GPUs; on CPUs, where PyTorch has no SyncBatchNorm, those of
        each process's own share.
        """
        if self.count == 1:
            return network
        if device.type == "cuda":
            _synchronise_norms(network)
        return nn.parallel.DistributedDataParallel(network)

    def average_gradients(self, parameters: Iterable[Tensor]) -> None:
        """The same for small networks beside the main one, called after their backward pass."""
        if self.count == 1:
            return
        for parameter in parameters:
            if parameter.grad is not None:
                dist.all_reduce(parameter.grad)
                parameter.grad /= self.count

    def mean(self, figures: dict[str, float], device: torch.device) -> dict[str, float]:
        """Each figure's mean over all processes."""
        if self.count == 1:
            return figures
        stacked = torch.tensor(list(figures.values()), dtype=torch.float64, device=device)
        dist.all_reduce(stacked)
        return dict(zip(figures, (stacked / self.count).tolist(), strict=True))

    def wait(self) -> None:
        """Until every process is here."""
        if self.count > 1:
            dist.barrier()


def joined() -> Processes:
    """This process's place in the group, or alone."""
    if dist.is_available() and dist.is_initialized():
        return Processes(dist.get_rank(), dist.get_world_size())
    return Processes()


@contextmanager
def process_group(device: torch.device) -> Iterator[Processes]:
    """Join the group that torchrun's environment describes; without torchrun, stay alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes()
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        yield joined()
        dist.barrier()  # who leaves early takes the others' connections along
    finally:
        dist.destroy_process_group()


def _synchronise_norms(network: nn.Module) -> None:
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            per_image = getattr(child, "per_image", False)  # its statistics are each picture's own
            if isinstance(child, nn.modules.batchnorm._BatchNorm) and not per_image:
                setattr(parent, name, nn.SyncBatchNorm.convert_sync_batchnorm(child))  # type: ignore[no-untyped-call]
