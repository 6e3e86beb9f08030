"""Weights in several files with an index that says which tensor lies where (`model.safetensors.index.json`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.errors import CheckpointError
from exporter.files.contained import contained, inside_name

if TYPE_CHECKING:
    from torch import Tensor

ENDING = ".index.json"


def index_in(path: Path) -> Path | None:
    """The index that `path`, a file or a folder, is or holds; None when there is none."""
    if path.is_dir():
        return next(iter(sorted(path.glob(f"*{ENDING}"))), None)
    return path if path.name.endswith(ENDING) else None


def names_in_index(index: Path) -> tuple[str, ...]:
    """The files that it names, each in its own folder or below. Raises CheckpointError."""
    return tuple(_text(name, index) for name in dict.fromkeys(_weight_map(index).values()))


def shards_of(index: Path) -> list[Path]:
    """The files that the index names, each in its own folder. Raises CheckpointError."""
    shards = []
    for name in names_in_index(index):
        if not (index.parent / name).exists():
            raise CheckpointError(
                f"{index.parent / name} is missing; {index.name} names it", hint="copy or download the whole folder"
            )
        shards.append(contained(index.parent, name, named_in=index.name, error=CheckpointError))
    return shards


def read_index(path: Path, read: Callable[[Path], dict[str, Tensor]]) -> dict[str, Tensor]:
    """All tensors of the shards, each read by `read`. Raises CheckpointError for a missing shard or tensor."""
    index = index_in(path)
    assert index is not None  # its format was told by that
    tensors: dict[str, Tensor] = {}
    for shard in shards_of(index):
        tensors |= read(shard)
    lacking = sorted(_weight_map(index).keys() - tensors.keys())
    if lacking:
        raise CheckpointError(f"{index} names {len(lacking)} tensors that its files lack, first {lacking[0][:100]}")
    return tensors


def _weight_map(index: Path) -> dict[str, str]:
    try:
        places = json.loads(index.read_bytes())["weight_map"]
        if not isinstance(places, dict) or not places:
            raise ValueError("its weight_map is empty")
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        reason = "it has no weight_map" if isinstance(error, LookupError | TypeError) else str(error)[:100]
        raise CheckpointError(f"{index} is no index of weights in several files: {reason}") from None
    return places


def _text(name: object, index: Path) -> str:
    try:
        return inside_name(name)
    except ValueError as problem:
        raise CheckpointError(f"{index}: it names {str(name)[:100]!r}, which {problem}") from None
