"""Structured pruning: whole channels go, what is left is a smaller dense network, trained back a little."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from exporter.artifact import Artifact, Format
from exporter.errors import CheckpointError, ForeignClass, StageError
from exporter.failures import explained, in_one_line
from exporter.files.recipe_path import RecipeFile
from exporter.generators.description import Description, read_description
from exporter.generators.users_code import FAILS_WITH
from exporter.stages.base import Stage, Untrained, Workspace
from exporter.stages.training import check_training, train_with_teacher
from exporter.suggestions import did_you_mean
from exporter.training.options import CHECKPOINT, FitOptions

if TYPE_CHECKING:
    from torch import Tensor, nn

    from exporter.pruning.channels import Check, Pruned

MOST_NAMED = 6  # of the layers that were left whole


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

    ratio: float = Field(default=0.25, gt=0, lt=1)
    """Share of the channels that goes, in every layer that can be pruned. Raise it for a smaller, faster file; lower it
    where quality is missed."""
    round_to: int = Field(default=8, ge=1, le=1024)
    """Channels left in a layer are a multiple of this. Lower it only where layers are narrow: phones and GPUs compute 8
    at once."""
    keep: tuple[str, ...] = ()
    """Names of modules that are never pruned, besides the last convolution. Name the layers whose pruning costs most.
    """
    warm_start: RecipeFile | None = None
    """`pruned.safetensors` of an earlier run with the same checkpoint, ratio and round_to. Name it to go on from a
    longer recovery."""

    def run(self, source: Artifact, workspace: Workspace) -> Artifact:
        from exporter.generators.network_file import describe_pruned, read_network, write_network
        from exporter.training.cost import cost_of

        original = read_network(source.path, source.user_classes)
        description = read_description(source.path)
        pruned = self._prune(original, description, source.input.shape)
        for line in _said(pruned.whole):
            workspace.progress.say(f"{self.name}: {line}")
        self._go_on_from(pruned.network, source.user_classes)
        before, after = cost_of(original, source.input.shape), cost_of(pruned.network, source.input.shape)
        recovered = train_with_teacher(self.name, self, pruned.network, original, workspace, trained=True)
        path = workspace.folder / "pruned.safetensors"
        write_network(recovered, describe_pruned(recovered, description), path)
        facts = {
            "macs_before": before.macs,
            "macs_after": after.macs,
            "parameters_before": before.parameters,
            "parameters_after": after.parameters,
        } | ({"left_whole": list(pruned.whole)} if pruned.whole else {})
        (workspace.folder / "facts.json").write_text(json.dumps(facts))
        return Artifact.of_file(path, self.gives, like=source, step=str(self))

    def check(self, source: Untrained, workspace: Workspace) -> Untrained:
        from exporter.generators.network_file import describe_pruned

        check_training(self, workspace)
        pruned = self._prune(source.network, source.description, workspace.teacher.input.shape).network
        self._go_on_from(pruned, source.user_classes)
        return Untrained(pruned, describe_pruned(pruned, source.description), source.user_classes)

    def _go_on_from(self, pruned: nn.Module, user_classes: Collection[str]) -> None:
        from exporter.checkpoints.fit import load_into
        from exporter.generators.network_file import read_network

        if self.warm_start is None:
            return
        try:
            earlier = read_network(self.warm_start, user_classes).state_dict()
            load_into(pruned, earlier, self.warm_start, "what is left after pruning")
        except ForeignClass:
            raise
        except CheckpointError as error:
            hint = "prune.warm_start must come from the same checkpoint, ratio, round_to and keep"
            raise CheckpointError(str(error).splitlines()[0], hint=hint) from None

    def _prune(self, network: nn.Module, description: Description, shape: Sequence[int]) -> Pruned:
        """Raises StageError when nothing can be removed: before training is paid for, not after."""
        import torch

        from exporter.pruning.channels import Wanted, remove_channels

        example = torch.full(tuple(shape), 0.5)
        keep = (*self._kept(network), _last_convolution(network, example))
        wanted = Wanted(self.ratio, self.round_to, keep)
        return remove_channels(network, example, wanted, _checked_by(network, description))

    def _kept(self, network: nn.Module) -> Iterator[str]:
        """Names of modules, as the network's own class or its wrappers have them."""
        from exporter.generators.network_file import bare

        places = {module: name for name, module in network.named_modules()}
        own = {name: places[module] for name, module in bare(network).named_modules() if name}
        for name in self.keep:
            if name not in own and name not in places.values():
                raise StageError(
                    f"prune.keep: the network has no module {name!r}{did_you_mean(name, [*own])}",
                    hint="a layer's name as in the keys of its checkpoint, without .weight",
                )
            yield own.get(name, name)


def _said(whole: Mapping[str, str]) -> Iterator[str]:
    """Which layers kept all their channels without being asked to, and why the first did."""
    if whole:
        names, (first, reason) = list(whole), next(iter(whole.items()))
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        yield f"kept whole: {', '.join(names[:MOST_NAMED])}{more}; what their channels go to could not be followed"
        yield f"{first}: {reason}"


def _checked_by(network: nn.Module, description: Description) -> Check:
    """Whether a pruned network runs, gives the same picture's size and comes back from a file as it is."""
    import torch

    from exporter.generators.network_file import bare, describe_pruned, network_of

    def problem(pruned: nn.Module, example: Tensor) -> str:
        try:
            # What the class draws for its first weights must not shift what training draws.
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                wanted, given = network(example), pruned(example)
                if given.shape != wanted.shape:
                    return f"it gives {tuple(given.shape)} instead of {tuple(wanted.shape)}"
                state = bare(pruned).state_dict()
                again = network_of(describe_pruned(pruned, description), state)(example)
        except FAILS_WITH as error:  # of any network's code at widths it was not written for
            if explained(error):
                raise
            return in_one_line(error)
        return "" if torch.equal(again, given) else "it gives another picture once it is loaded from its file"

    return problem


def _last_convolution(network: nn.Module, example: Tensor) -> str:
    """The name of the convolution that ran last: its channels are the picture's."""
    import torch

    ran: list[str] = []
    convolutions = {n: m for n, m in network.named_modules() if isinstance(m, torch.nn.modules.conv._ConvNd)}
    handles = [m.register_forward_hook(lambda *_, name=name: ran.append(name)) for name, m in convolutions.items()]
    with torch.no_grad():
        network(example)
    for handle in handles:
        handle.remove()
    if not ran:
        raise StageError("prune: the network has no convolution to prune")
    return ran[-1]
