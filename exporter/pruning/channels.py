"""Channels with the smallest weights out of a network of any kind (DepGraph, Fang et al., CVPR 2023).

All layers are tried at once. When that fails (an operator that moves channels in a way the graph does not follow, a
reshape with numbers of its own), each layer is tried alone, and the ones that cannot lose channels are left whole.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.errors import StageError
from exporter.failures import explained, in_one_line
from exporter.pruning.arrival import MISLED, misled_layers

if TYPE_CHECKING:
    from torch import Tensor, nn

SMALLEST_TRIAL_PX = 64


@dataclass(frozen=True, slots=True)
class Wanted:
    """`ratio` of each layer's channels goes, what is left is a multiple of `round_to`; modules named `keep` stay."""

    ratio: float
    round_to: int
    keep: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pruned:
    network: nn.Module
    whole: dict[str, str] = field(default_factory=dict)  # layers that could not lose channels, and why


# What is wrong with a pruned network, for a picture of the given size; "" when nothing is.
Check = Callable[["nn.Module", "Tensor"], str]


def remove_channels(network: nn.Module, example: Tensor, wanted: Wanted, check: Check) -> Pruned:
    """A copy of `network` with fewer channels, which passes `check`. `example` is a picture, (1, C, H, W).

    Raises StageError, naming layers, when no layer can lose a channel.
    """
    whole: dict[str, str] = {}
    try:
        whole = _misled(network, _smaller(network, example), wanted, ())
        pruned = _pruned(network, example, wanted, whole)
        problem = check(pruned, example)
    except Exception as error:  # of a library that met what it does not know
        if explained(error):
            raise
        problem = in_one_line(error)
    if problem:
        pruned, whole = _without_what_fails(network, example, wanted, check)
    if _size(pruned) == _size(network):
        raise _nothing_removed(network, wanted, whole)
    return Pruned(pruned.requires_grad_(True), whole)


def _without_what_fails(
    network: nn.Module, example: Tensor, wanted: Wanted, check: Check
) -> tuple[nn.Module, dict[str, str]]:
    small = _smaller(network, example)
    whole = dict(_failing_alone(network, small, wanted, check))
    whole |= _misled(network, small, wanted, whole)
    pruned = _pruned(network, example, wanted, whole)
    problem = check(pruned, example)
    while problem:  # layers that only fail together
        name, reason = _first_failing(network, small, wanted, whole, check)
        if not name:
            raise StageError(f"prune: the pruned network no longer works: {problem}", hint=_KEEP)
        whole[name] = reason
        pruned = _pruned(network, example, wanted, whole)
        problem = check(pruned, example)
    return pruned, whole


_KEEP = "name the layers that must keep their channels in prune.keep"


def _pruned(network: nn.Module, example: Tensor, wanted: Wanted, whole: Collection[str]) -> nn.Module:
    made = copy.deepcopy(network)
    with _quiet():
        _pruner(made, example, wanted, whole).step()
    return made


def _misled(network: nn.Module, example: Tensor, wanted: Wanted, whole: Collection[str]) -> dict[str, str]:
    made = copy.deepcopy(network)
    with _quiet():
        return dict.fromkeys(misled_layers(made, example, _pruner(made, example, wanted, whole)), MISLED)


def _pruner(network: nn.Module, example: Tensor, wanted: Wanted, whole: Collection[str]) -> Any:
    import torch_pruning

    modules = dict(network.named_modules())
    return torch_pruning.pruner.MagnitudePruner(
        network,
        (example,),
        importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
        pruning_ratio=wanted.ratio,
        round_to=wanted.round_to,
        ignored_layers=[modules[name] for name in (*wanted.keep, *whole)],
    )


def _failing_alone(network: nn.Module, example: Tensor, wanted: Wanted, check: Check) -> Iterator[tuple[str, str]]:
    """Every layer that cannot lose channels, with nothing else pruned, and why."""
    names = _roots(network, example, wanted)
    done: set[str] = set()
    for name in names:
        if name in done:
            continue
        made = copy.deepcopy(network)
        try:
            with _quiet():
                coupled = _prune_one(made, example, name, wanted)
            problem = check(made, example)
        except Exception as error:  # of a library that met what it does not know
            if explained(error):
                raise
            problem, coupled = in_one_line(error), [name]
        done |= set(coupled)
        if problem:
            yield name, problem


def _roots(network: nn.Module, example: Tensor, wanted: Wanted) -> list[str]:
    """The layers that have channels of their own to lose, by name, in the order of the network."""
    from torch import nn

    kept = {id(part) for name in wanted.keep for part in network.get_submodule(name).modules()}
    layers = (nn.modules.conv._ConvNd, nn.Linear)
    return [name for name, module in network.named_modules() if isinstance(module, layers) and id(module) not in kept]


def _prune_one(network: nn.Module, example: Tensor, name: str, wanted: Wanted) -> list[str]:
    """Take the channels of one layer, and what depends on them, out of `network`; the layers that went with it.

    As many as the pruner would take, whichever they are: the question is whether they can be followed.
    """
    import torch_pruning

    graph = torch_pruning.DependencyGraph().build_dependency(network, (example,))
    module = network.get_submodule(name)
    if module not in graph.module2node:
        return [name]  # it does not run
    take = graph.get_pruner_of_module(module).prune_out_channels
    channels = graph.get_out_channels(module)
    whole = graph.get_pruning_group(module, take, list(range(channels)))
    torch_pruning.importance.GroupMagnitudeImportance(p=2)(whole)
    names = {part: place for place, part in network.named_modules()}
    outputs = [item.dep.target.module for item in whole if graph.is_out_channel_pruning_fn(item.dep.handler)]
    groups = max((getattr(part, "groups", getattr(part, "num_groups", 1)) for part in outputs), default=1)
    groups = groups if channels % groups == 0 and groups < channels else 1
    each = channels // groups
    left = max(1, int(each * (1 - wanted.ratio)) // wanted.round_to * wanted.round_to)
    lost = [first + i for first in range(0, channels, each) for i in range(each - left)]
    group = graph.get_pruning_group(module, take, lost)
    if lost and graph.check_pruning_group(group):
        group.prune()
    return [names[part] for part in outputs if part in names]


def _first_failing(
    network: nn.Module, example: Tensor, wanted: Wanted, whole: Collection[str], check: Check
) -> tuple[str, str]:
    """The first layer after whose channels the network no longer works, the ones before it pruned as well."""
    made = copy.deepcopy(network)
    names = {part: place for place, part in made.named_modules()}
    with _quiet():
        for group in _pruner(made, example, wanted, whole).step(interactive=True):
            root = names.get(group[0].dep.target.module, "")
            group.prune()
            if problem := check(made, example):
                return root, problem
    return "", ""


def _smaller(network: nn.Module, example: Tensor) -> Tensor:
    """A picture that the network takes, no larger than `example`: layers are tried one by one."""
    import torch

    height, width = example.shape[2:]
    for divisor in (16, 8, 4, 2):
        if height % divisor or width % divisor or min(height, width) // divisor < SMALLEST_TRIAL_PX // 2:
            continue
        smaller = example[:, :, : height // divisor, : width // divisor].contiguous()
        try:
            with torch.no_grad():
                network(smaller)
            return smaller
        except Exception as error:  # of the user's code: this size is none of its
            if explained(error):
                raise
    return example


def _nothing_removed(network: nn.Module, wanted: Wanted, whole: dict[str, str]) -> StageError:
    if whole:
        first = ", ".join(f"{name} ({reason})" for name, reason in list(whole.items())[:3])
        return StageError(
            f"prune: no layer can lose channels; of {len(whole)} that were tried, the first: {first}",
            hint="leave prune out of the recipe, or distill into another network",
        )
    return StageError(
        f"prune: nothing is left to remove at ratio {wanted.ratio:g} and round_to {wanted.round_to}: every layer is "
        "in prune.keep, gives the picture, or is too narrow",
        hint=f"prune.round_to=1 removes channels one by one, prune.ratio more than {wanted.ratio:g} removes more",
    )


def _size(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@contextmanager
def _quiet() -> Iterator[None]:
    """The library announces what it does with parameters that no layer holds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
