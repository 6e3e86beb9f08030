"""Batch norm statistics measured anew on the calibration images, before norms are folded into convolutions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from exporter.artifact import Artifact, Format
from exporter.errors import StageError
from exporter.stages.base import Stage, Untrained, Workspace
from exporter.stages.passes import Passes

if TYPE_CHECKING:
    from torch import Tensor, nn

    from exporter.stages.passes import Floats


class ReestimateNorm(Stage):
    """Replace the running mean and variance of every batch norm by those of the calibration images.

    For a network whose weights changed after its statistics were gathered, or that was trained on pictures unlike those
    it will see (Sun et al., "Hybrid 8-bit Floating Point Training and Inference", NeurIPS 2019). A network
    as it left training has the statistics of its training pictures, and they fit its weights: measure before using it.
    """

    name: ClassVar[str] = "reestimate_norm"
    takes: ClassVar[Format] = Format.TORCH
    gives: ClassVar[Format] = Format.TORCH
    reads: ClassVar[frozenset[str]] = frozenset({"calibration"})

    batch: int = Field(default=8, ge=1, le=65536)
    """Images whose statistics are taken together. Make it what it was in training."""

    def check(self, source: Untrained, workspace: Workspace) -> Untrained:
        if not _norms(source.network):
            raise StageError(f"{self.name}: the network has no batch norm with running statistics")
        return source

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        """Raises StageError for a network without batch norms that keep statistics."""
        from exporter.generators.description import read_description
        from exporter.generators.network_file import read_network, write_network

        network = read_network(source.path, source.user_classes)
        norms = _norms(network)
        if not norms:
            raise StageError(f"{self.name}: the network has no batch norm with running statistics")
        _estimate(network, norms, _batches(Passes(workspace), self.batch))
        path = workspace.folder / "network.safetensors"
        write_network(network, read_description(source.path), path)
        (workspace.folder / "facts.json").write_text(json.dumps({"norms": len(norms)}))
        return Artifact.of_file(path, self.gives, like=source, step=str(self))


def _norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    from torch import nn

    return [m for m in network.modules() if isinstance(m, nn.BatchNorm2d) and m.track_running_stats]


def _batches(images: Iterable[Floats], size: int) -> Iterator[Tensor]:
    """(size, 3, H, W) each; what is left over goes without a batch of its own, unless it is all there is."""
    import numpy as np
    import torch

    kept: list[Floats] = []
    full = 0
    for image in images:
        kept.append(image.transpose(2, 0, 1))
        if len(kept) == size:
            yield torch.from_numpy(np.stack(kept))
            kept, full = [], full + 1
    if kept and not full:
        yield torch.from_numpy(np.stack(kept))


def _estimate(network: nn.Module, norms: list[nn.BatchNorm2d], batches: Iterable[Tensor]) -> None:
    import torch

    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    with torch.no_grad():
        for batch in batches:
            network(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()
