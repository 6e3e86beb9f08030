"""Of several pictures that a network returns, the one that most of the network is for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import nn

from exporter.artifact import CHANNELS, Colour
from exporter.errors import PlanError
from exporter.generators.adapter import Adapter, picture_at, tensors_in
from exporter.generators.calling import TRIED, find_call
from exporter.generators.interface import Interface
from exporter.generators.users_code import FAILS_WITH

Way = tuple[str, ...]


def fullest_output(network: nn.Module, arch: str, wanted: Interface, colour: Colour | None, x: torch.Tensor) -> Way:
    """The way to the picture that reaches the most weights, then the most operators; () when there is none.

    Stages of a network in turn, estimates beside the result: the result is what all of them lead to. `x` as for
    `find_call`.
    """
    for tried in (colour,) if colour else TRIED:
        pictures = x.expand(1, CHANNELS[tried] * wanted.frames, -1, -1).contiguous()
        try:
            with torch.enable_grad():
                result = Adapter(network, wanted).call(pictures)
        except MemoryError:
            raise
        except FAILS_WITH:
            continue
        ways = [way for way, _ in tensors_in(result) if _is_picture(network, arch, wanted, way, tried, x)]
        return max(ways, key=lambda way: _reach(picture_at(result, way)), default=())
    return ()


def _is_picture(network: nn.Module, arch: str, wanted: Interface, way: Way, colour: Colour, x: torch.Tensor) -> bool:
    try:
        find_call(network, arch, replace(wanted, output=way), colour, x)
    except PlanError:
        return False
    return True


def _reach(picture: torch.Tensor) -> tuple[int, int]:
    """How many weights, and how many operators, lead to `picture`."""
    weights, seen, front = 0, set[Any](), [picture.grad_fn]
    while front:
        node = front.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        variable = getattr(node, "variable", None)
        weights += variable.numel() if variable is not None else 0
        front += [before for before, _ in node.next_functions]
    return weights, len(seen)
