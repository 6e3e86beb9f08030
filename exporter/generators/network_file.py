"""Our file of a torch network: safetensors with the architecture in the header. Never a pickle.

A pruned network has other channel numbers than its class builds; `exporter/generators/widths.py` gives every layer its
own, so that any architecture survives pruning without code for it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from exporter.checkpoints.read import read_safetensors
from exporter.checkpoints.reparametrised import fold_network
from exporter.errors import CheckpointError, RecipeError
from exporter.generators.adapter import Adapter
from exporter.generators.base import Padding
from exporter.generators.build import build_network, generator_info
from exporter.generators.carrying import End
from exporter.generators.description import Description, is_known, read_description, require_allowed
from exporter.generators.interface import PLAIN, Interface
from exporter.generators.outline import outline
from exporter.generators.widths import fit_channels, open_widths


class UnitRange(nn.Module):
    """Takes and returns values in [0, 1] whatever the range of the network; any size where its official code pads."""

    def __init__(self, network: nn.Module, low: float, high: float, multiple: int, padding: Padding) -> None:
        super().__init__()
        self.network = network
        self.low, self.span = low, high - low
        self.shifted = (low, high) != (0.0, 1.0)
        self.multiple, self.padding = multiple, padding

    def forward(self, x: Tensor, *states: Tensor) -> Any:
        height, width = x.shape[2:]
        below, right = -height % self.multiple, -width % self.multiple
        x = x * self.span + self.low if self.shifted else x
        if (below or right) and self.padding != "none":
            x = _fill_up(x, below, right, self.padding)
        made = self.network(x, *states)
        y: Tensor = made[0] if states else made
        if (below or right) and self.padding != "none":
            scale = y.shape[2] // x.shape[2]
            top, left = (below // 2, right // 2) if self.padding == "reflect_around" else (0, 0)
            y = y[:, :, top * scale : (top + height) * scale, left * scale : (left + width) * scale]
        y = (y - self.low) / self.span if self.shifted else y
        return (y, *made[1:]) if states else y


def _fill_up(x: Tensor, below: int, right: int, padding: Padding) -> Tensor:
    """Rows below and columns at the right, or half of them before, as the official code of the network adds them."""
    if padding == "flip":
        x = torch.cat([x, x.flip(2)], 2)[:, :, : x.shape[2] + below]
        return torch.cat([x, x.flip(3)], 3)[:, :, :, : x.shape[3] + right]
    if padding == "reflect_around":
        around = (right // 2, right - right // 2, below // 2, below - below // 2)
        return nn.functional.pad(x, around, "reflect")
    mode = {"zero": "constant", "edge": "replicate", "reflect": "reflect"}[padding]
    return nn.functional.pad(x, (0, right, 0, below), mode)


def write_network(network: nn.Module, description: Description, path: Path) -> None:
    """Store `network` (bare or in its range wrapper)."""
    from safetensors.torch import save_file

    state = {key: value.detach().contiguous().clone() for key, value in bare(network).state_dict().items()}
    save_file(state, path, metadata=description.to_header())


def read_network(path: Path, user_classes: Collection[str] = ()) -> nn.Module:
    """The stored network in eval mode, values in [0, 1]; of a known architecture, or one of `user_classes`.

    `user_classes` are what the recipe or the command line calls its own: importing a class runs whatever bears its
    name, so a file alone cannot ask for it. Raises ForeignClass for such a file, CheckpointError when it is damaged or
    does not fit its own description.
    """
    description = read_description(path)
    require_allowed(description.arch, path, user_classes)
    state = read_safetensors(path)
    try:
        return network_of(description, state)
    except (RecipeError, RuntimeError, LookupError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(f"{path} does not fit its own description, {description.arch}: {reason}") from None


def network_of(description: Description, state: dict[str, Tensor]) -> nn.Module:
    """What `read_network` makes of a file that holds these two. Raises what it explains."""
    info = generator_info(description.arch, description.range, description.multiple)
    if is_known(info.name):  # shapes first: no memory for a network that is not the file's
        _require_fit(outline(info, description.kwargs), description, state)
    network = build_network(info, description.kwargs)
    if network.state_dict().keys() != state.keys():  # written with its weights folded
        fold_network(network)
    _require_fit(network, description, state)
    network.load_state_dict(state)
    fold_network(network)
    multiple = getattr(network, "multiple", info.multiple) if is_known(info.name) else description.multiple
    return in_unit_range(network, description.range, multiple, info.padding, description.interface).eval()


def describe_pruned(network: nn.Module, description: Description) -> Description:
    """`description` of a network that has lost channels since: with the widths that its weights leave open."""
    changed = replace(description, channels_changed=True)
    state = bare(network).state_dict()
    built = bare(network_of(changed, state))
    return replace(changed, widths=open_widths(built, bare(network)))


def in_unit_range(
    network: nn.Module,
    range: tuple[float, float],
    multiple: int = 1,
    padding: Padding = "none",
    interface: Interface = PLAIN,
) -> nn.Module:
    """`network` taking and returning one picture in [0, 1]; with a `padding`, other sizes are padded and cropped."""
    network = network if interface == PLAIN else Adapter(network, interface, shares=range == (0.0, 1.0))
    return network if range == (0.0, 1.0) and padding == "none" else UnitRange(network, *range, multiple, padding)


def carried(network: nn.Module) -> tuple[End, ...]:
    """What a network of `read_network` takes behind its picture, and gives out for the next frame."""
    inner = network.network if isinstance(network, UnitRange) else network
    return inner.ends if isinstance(inner, Adapter) else ()


def bare(network: nn.Module) -> nn.Module:
    """The network without its wrappers."""
    network = network.network if isinstance(network, UnitRange) else network
    return network.network if isinstance(network, Adapter) else network


def _require_fit(network: nn.Module, description: Description, state: dict[str, Tensor]) -> None:
    """Give a pruned network its widths. Raises ValueError when names or shapes are then not those of `state`."""
    if description.channels_changed:
        fit_channels(network, state, description.widths)
    own = network.state_dict()
    wrong = sorted(own.keys() ^ state.keys()) or [key for key in own if own[key].shape != state[key].shape]
    if wrong:
        raise ValueError(f"{len(wrong)} tensors are missing, unknown or of another shape, first {wrong[0]}")
