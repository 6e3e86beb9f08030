"""What a network file of ours says of itself, read without torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from exporter.errors import CheckpointError
from exporter.generators.table import GENERATORS


@dataclass(frozen=True, slots=True)
class Description:
    """What the header says: how to build the network and which numbers it eats."""

    arch: str
    kwargs: dict[str, Any]
    range: tuple[float, float]
    multiple: int
    channels_changed: bool = False

    def to_header(self) -> dict[str, str]:
        """One entry only: safetensors writes several in random order, and same network must mean same bytes."""
        return {"network": json.dumps(asdict(self), sort_keys=True)}

    @classmethod
    def from_header(cls, header: dict[str, str]) -> Description:
        raw = json.loads(header["network"])
        low, high = raw.pop("range")
        return cls(**raw, range=(low, high))


def read_description(path: Path) -> Description:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            return Description.from_header(file.metadata() or {})
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is not a network file of this project: {error}") from None


def known_description(path: Path) -> Description | None:
    """What a file of ours says of itself when it is of an architecture known here; None for any other checkpoint.

    A class of a package is not taken from a file: importing it would run whatever bears that name.
    """
    try:
        description = read_description(path)
    except CheckpointError:
        return None
    return description if description.arch in {info.name for info in GENERATORS} else None
