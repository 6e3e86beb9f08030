"""Structured pruning: whole channels go, what is left is a smaller dense network, trained back a little."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from exporter.artifact import Artifact, Format
from exporter.errors import CheckpointError, ForeignClass, StageError
from exporter.files.recipe_path import RecipeFile
from exporter.stages.base import Stage, Workspace
from exporter.stages.training import check_training, train_with_teacher
from exporter.training.options import CHECKPOINT, FitOptions

if TYPE_CHECKING:
    from torch import Tensor, nn


class Prune(FitOptions, Stage):
    """Remove the channels with the smallest weights (DepGraph, Fang et al., CVPR 2023) and train the rest to recover.

    Coupled channels (residual additions, depthwise convolutions) go together. Recovery is a short distillation
    from the network before pruning; `steps` and the other training options steer it. `warm_start` goes on from the
    weights of an earlier, longer recovery of the same pruning.
    """

    name: ClassVar[str] = "prune"
    takes: ClassVar[Format] = Format.TORCH
    gives: ClassVar[Format] = Format.TORCH
    needs: ClassVar[tuple[str, ...]] = ("torch_pruning",)
    reads: ClassVar[frozenset[str]] = frozenset({"training", "seed"})
    resumes: ClassVar[bool] = True
    spent: ClassVar[frozenset[str]] = frozenset({CHECKPOINT})

    ratio: float = Field(default=0.25, gt=0, lt=1)  # share of channels removed in every prunable layer
    round_to: int = Field(default=8, ge=1, le=1024)  # what is left is a multiple of this: lanes of phones and GPUs
    keep: tuple[str, ...] = ()  # module names never pruned, besides the last convolution
    warm_start: RecipeFile | None = None  # pruned.safetensors of a run with the same checkpoint, ratio and round_to

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        import copy
        from dataclasses import replace

        from exporter.generators.description import read_description
        from exporter.generators.network_file import read_network, write_network
        from exporter.training.cost import cost_of

        original = read_network(source.path, source.user_classes)
        pruned = self._prune(copy.deepcopy(original), source)
        self._go_on_from(pruned, source)
        before, after = cost_of(original, source.input.shape), cost_of(pruned, source.input.shape)
        recovered = train_with_teacher(self.name, self, pruned, original, workspace, trained=True)
        path = workspace.folder / "pruned.safetensors"
        write_network(recovered, replace(read_description(source.path), channels_changed=True), path)
        facts = {
            "macs_before": before.macs,
            "macs_after": after.macs,
            "parameters_before": before.parameters,
            "parameters_after": after.parameters,
        }
        (workspace.folder / "facts.json").write_text(json.dumps(facts))
        return Artifact.of_file(path, self.gives, like=source, step=str(self))

    def check(self, network: nn.Module, workspace: Workspace) -> nn.Module:
        import copy

        check_training(self, workspace)
        pruned = self._prune(copy.deepcopy(network), workspace.teacher)
        self._go_on_from(pruned, workspace.teacher)
        return pruned

    def _go_on_from(self, pruned: nn.Module, source: Artifact) -> None:
        from exporter.checkpoints.fit import load_into
        from exporter.generators.network_file import read_network

        if self.warm_start is None:
            return
        try:
            earlier = read_network(self.warm_start, source.user_classes).state_dict()
            load_into(pruned, earlier, self.warm_start, "what is left after pruning")
        except ForeignClass:
            raise
        except CheckpointError as error:
            hint = "prune.warm_start must come from the same checkpoint, ratio, round_to and keep"
            raise CheckpointError(str(error).splitlines()[0], hint=hint) from None

    def _prune(self, network: nn.Module, source: Artifact) -> nn.Module:
        import torch
        import torch_pruning

        example = torch.full(source.input.shape, 0.5)
        modules = dict(network.named_modules())
        if unknown := [name for name in self.keep if name not in modules]:
            raise StageError(f"prune.keep: the network has no module {unknown[0]!r}")
        kept = [modules[name] for name in self.keep] + [_last_convolution(network, example)]
        pruner = torch_pruning.pruner.MagnitudePruner(
            network,
            example,
            importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
            pruning_ratio=self.ratio,
            round_to=self.round_to,
            ignored_layers=kept,
        )
        pruner.step()
        try:
            with torch.no_grad():
                shape = tuple(network(example).shape)
        except RuntimeError as error:
            raise StageError(
                f"prune: the pruned network no longer runs: {str(error).splitlines()[0]}",
                hint="name the layers that must keep their channels in prune.keep",
            ) from None
        if shape != source.output.shape:
            raise StageError(f"prune: the pruned network gives {shape} instead of {source.output.shape}")
        return network.requires_grad_(True)


def _last_convolution(network: nn.Module, example: Tensor) -> nn.Module:
    """The convolution that ran last: its channels are the picture's."""
    import torch

    ran: list[nn.Module] = []
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.ConvTranspose2d)]
    handles = [m.register_forward_hook(lambda module, *_: ran.append(module)) for m in convolutions]
    with torch.no_grad():
        network(example)
    for handle in handles:
        handle.remove()
    if not ran:
        raise StageError("prune: the network has no convolution to prune")
    return ran[-1]
