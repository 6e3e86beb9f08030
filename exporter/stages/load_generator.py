"""The trained generator from its checkpoint: the first stage of every recipe, written there as `model:`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from exporter.artifact import Artifact, Format
from exporter.stages.base import Stage, Workspace

if TYPE_CHECKING:
    from torch import nn


class LoadGenerator(Stage):
    """Check a checkpoint against its architecture and keep it as a network file."""

    name: ClassVar[str] = "load_generator"
    takes: ClassVar[Format] = Format.CHECKPOINT
    gives: ClassVar[Format] = Format.TORCH
    reads: ClassVar[frozenset[str]] = frozenset({"calibration"})  # norm_mode: calibrated

    arch: str
    kwargs: dict[str, Any] = {}
    range: tuple[float, float] | None = None
    multiple: int = 1

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        from exporter.generators import build_network, generator_info
        from exporter.generators.checkpoint import load_into, load_state
        from exporter.generators.network_file import Description, in_unit_range, write_network

        info = generator_info(self.arch, self.range, self.multiple)
        network = build_network(info, self.kwargs)
        for line in load_into(network, load_state(source.path), source.path, self.arch):
            workspace.progress.say(f"{source.path.name}: {line}")
        network = in_unit_range(network, info.range).eval()
        if self.kwargs.get("norm_mode") == "calibrated":
            _estimate_statistics(network, workspace)
        _try_once(network, source, self.arch)
        path = workspace.folder / "generator.safetensors"
        write_network(network, Description(self.arch, self.kwargs, info.range, info.multiple), path)
        return Artifact.of_file(path, self.gives, like=source, step=str(self))


def _estimate_statistics(network: nn.Module, workspace: Workspace) -> None:
    """Replace running statistics by the cumulative mean over the calibration images."""
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm

    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
        norm.train()
    with (
        torch.no_grad(),
        workspace.progress.task("estimate norm statistics", len(workspace.calibration)) as task,
    ):
        for image in workspace.calibration:
            network(torch.from_numpy(image.transpose(2, 0, 1)[None].copy()))
            task.advance()
    network.eval()


def _try_once(network: nn.Module, source: Artifact, arch: str) -> None:
    """One picture through, so that a network that cannot run at this size fails here and not in a converter."""
    import torch

    from exporter.errors import CheckpointError, PlanError

    try:
        with torch.no_grad():
            result = network(torch.full(source.input.shape, 0.5))
    except RuntimeError as error:
        height, width = source.input.height, source.input.width
        raise PlanError(f"input: {arch} cannot run at {height}×{width}: {str(error).splitlines()[0]}") from None
    if not isinstance(result, torch.Tensor) or tuple(result.shape) != source.output.shape:
        got = tuple(result.shape) if isinstance(result, torch.Tensor) else type(result).__name__
        raise PlanError(f"model.arch: {arch} gives {got}, expected one picture {source.output.shape}")
    if not bool(torch.isfinite(result).all()):
        raise CheckpointError(f"{source.path}: {arch} gives NaN or infinite pixels on a grey picture")
