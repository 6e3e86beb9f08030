"""Whether channels arrive where the graph of dependencies believes: found by changing one and looking who notices.

Reshapes, flips, rolls and gathers can move channels and keep every shape. The graph takes them for operators that leave
channels in their places, and a network pruned by it would run, and compute something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

MISLED = "its channels arrive in another order than they leave"
_MOVING = re.compile(
    r"reshape|view|flip|roll|index|gather|permute|transpose|shuffle|im2col|col2im|unknown", re.IGNORECASE
)
_LEAST_SHARE = 0.1  # of the largest change; norms and attention spread a little of it over all channels


def misled_layers(network: nn.Module, example: Tensor, pruner: Any) -> Iterator[str]:
    """Names of the layers whose channels, behind an operator that can move them, arrive elsewhere than expected."""
    names = {module: name for name, module in network.named_modules()}
    graph = pruner.DG
    for group in graph.get_all_groups(ignored_layers=pruner.ignored_layers, root_module_types=pruner.root_module_types):
        operators = (f"{item.dep.target.name} {item.dep.target.module!r}" for item in group)
        if any(_MOVING.search(operator) for operator in operators) and not _arrive(network, example, graph, group):
            yield names[group[0].dep.target.module]


def _arrive(network: nn.Module, example: Tensor, graph: Any, group: Any) -> bool:
    from torch import nn

    root = group[0].dep.target.module
    takers = [
        (item.dep.target.module, list(item.idxs), list(item.root_idxs))
        for item in group
        if isinstance(item.dep.target.module, nn.modules.conv._ConvNd | nn.Linear)
        and graph.is_in_channel_pruning_fn(item.dep.handler)
        and item.dep.target.module is not root
    ]
    count = len(group[0].idxs)
    before = _inputs(network, example, root, None, [taker for taker, _, _ in takers])
    for channel in {count // 3, count - 1}:
        after = _inputs(network, example, root, channel, [taker for taker, _, _ in takers])
        for taker, places, sources in takers:
            if taker not in before or taker not in after:
                continue
            change = _per_channel(after[taker] - before[taker], taker)
            meant = [place for place, source in zip(places, sources, strict=True) if source == channel]
            if not meant or float(change.max()) == 0:
                continue
            if max(meant) >= len(change) or float(change[meant].max()) < _LEAST_SHARE * float(change.max()):
                return False
    return True


def _inputs(
    network: nn.Module, example: Tensor, root: nn.Module, channel: int | None, takers: list[nn.Module]
) -> dict[nn.Module, Tensor]:
    """What each taker is given the first time it runs, with noise on one channel that `root` gives."""
    import torch

    seen: dict[nn.Module, Tensor] = {}

    def disturb(module: nn.Module, _: Any, result: Tensor) -> Tensor:
        if channel is None:
            return result
        result, axis = result.clone(), _axis(module)
        part = result.select(axis, channel)
        part += torch.linspace(-1, 1, part.numel()).reshape(part.shape) * (part.abs().max() + 1)
        return result

    def keep(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        seen.setdefault(module, given[0].detach().clone())

    hooks = [root.register_forward_hook(disturb), *(taker.register_forward_pre_hook(keep) for taker in set(takers))]
    try:
        with torch.no_grad():
            network(example)
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def _per_channel(change: Tensor, taker: nn.Module) -> Tensor:
    return change.abs().transpose(0, _axis(taker)).flatten(1).sum(1)


def _axis(module: nn.Module) -> int:
    """Where a layer's channels lie, in what it takes and gives."""
    from torch import nn

    return -1 if isinstance(module, nn.Linear) else 1
