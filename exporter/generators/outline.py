"""A network as a file describes it, built without numbers and within bounds, before any memory is given to it.

What a file says of its network, in its header or by the names and shapes of its tensors, is a stranger's word: a width
of 10⁹ or a million layers must end in a sentence, not in a machine that stands still.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import isfinite
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as registration

from exporter.generators.base import GeneratorInfo
from exporter.generators.build import build_network

LARGEST_NUMBER = 8192  # of an argument; the widest layer known here has 2080 channels
MOST_ARGUMENTS = 1000  # list entries counted one by one
MOST_PARTS = 50_000  # layers and their tensors; MAXIM, the largest, has 4647
MOST_BYTES = 1 << 30  # of weights and buffers; the largest known here has 0.2 GB


def outline(info: GeneratorInfo, kwargs: Mapping[str, Any]) -> nn.Module:
    """The network of a known architecture on the meta device: names and shapes, no numbers.

    Raises ValueError, saying why, for arguments its class does not take and for a network beyond all bounds.
    """
    require_plain(kwargs)
    try:
        with torch.device("meta"), counted():
            network = build_network(info, dict(kwargs))
    except Exception as error:  # arguments of a stranger: whatever a constructor makes of them
        lines = str(error).splitlines() or [type(error).__name__]
        raise ValueError(f"{info.name} cannot be built from it: {lines[0][:200]}") from None
    return network


def require_plain(value: Any, depth: int = 0) -> int:
    """How many values a network's arguments hold; ValueError for one that no architecture here could mean."""
    if depth > 4:
        raise ValueError("its arguments are nested too deeply")
    if isinstance(value, str):
        if len(value) > 100:
            raise ValueError("one of its arguments is a text of more than 100 characters")
    elif isinstance(value, int | float) and not (isfinite(value) and abs(value) <= LARGEST_NUMBER):
        raise ValueError(f"one of its arguments is {value:.3g}, of at most {LARGEST_NUMBER}")
    elif isinstance(value, Mapping | list | tuple):
        inner = [*value, *value.values()] if isinstance(value, Mapping) else value
        count = sum(require_plain(item, depth + 1) for item in inner) if len(inner) <= MOST_ARGUMENTS else len(inner)
        if count > MOST_ARGUMENTS:
            raise ValueError(f"it has more than {MOST_ARGUMENTS} arguments")
        return count
    return 1


@contextmanager
def counted(most_bytes: int = MOST_BYTES) -> Iterator[None]:
    """Stops a constructor, with a ValueError, that registers more parts or bytes than any network has."""
    parts, size_bytes = 0, 0

    def count(_module: object, _name: object, part: object) -> None:
        nonlocal parts, size_bytes
        parts += 1
        size_bytes += part.numel() * part.element_size() if isinstance(part, torch.Tensor) else 0
        if parts > MOST_PARTS:
            raise ValueError(f"it describes more than {MOST_PARTS} layers")
        if size_bytes > most_bytes:
            raise ValueError(f"it describes more than {most_bytes / 1e9:.1f} GB of weights")

    hooks = [
        registration.register_module_module_registration_hook(count),
        registration.register_module_parameter_registration_hook(count),
        registration.register_module_buffer_registration_hook(count),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
