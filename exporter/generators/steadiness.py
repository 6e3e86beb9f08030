"""Whether a network gives one picture the same answer twice: no file can be compared with one that does not."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from exporter.errors import PlanError
from exporter.generators.instead import draws_random_numbers, instead_of, spelled
from exporter.generators.operator_places import first_call

_KEPT = (
    "it calls none of PyTorch's random operators, so it draws Python's or numpy's numbers, or keeps something from "
    "call to call (self.n += 1): compute from the picture alone; a state that forward takes and gives is input.state"
)


def require_steady(network: nn.Module, x: Tensor) -> None:
    """Raises PlanError, naming operator and module, when `network` gives two answers for `x`."""
    with torch.no_grad():
        first, second = network(x.clone()), network(x.clone())
    if not isinstance(first, Tensor) or not isinstance(second, Tensor) or first.shape != second.shape:
        return
    if bool(((first == second) | ((first != first) & (second != second))).all()):
        return
    difference = float((first - second).abs().max())
    drawn = first_call(network, x, draws_random_numbers)
    where = f": {spelled(drawn.operator)} in {drawn}" if drawn else ""
    raise PlanError(
        f"the network is random: one picture, given twice, comes out {difference:.3g} of full scale apart{where}",
        hint=instead_of(drawn.operator) if drawn else _KEPT,
    )
