"""What a network file of ours says of itself, read without torch, and whose word that is."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from exporter.errors import CheckpointError, ForeignClass
from exporter.failures import ABSENT, pass_on
from exporter.generators.interface import Interface
from exporter.generators.table import GENERATORS

LARGEST_MULTIPLE = 4096  # px; pictures are filled up to it


@dataclass(frozen=True, slots=True)
class Description:
    """What the header says: how to build the network, its input value range and how it wants to be called."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    arch: Annotated[str, Field(max_length=300)]
    kwargs: dict[str, Any]
    range: tuple[float, float]
    multiple: Annotated[int, Field(ge=1, le=LARGEST_MULTIPLE)]
    channels_changed: bool = False
    interface: Interface = field(default_factory=Interface)
    widths: dict[str, dict[str, int | list[int]]] = field(default_factory=dict)  # of a pruned network

    def __post_init__(self) -> None:
        if not self.range[0] < self.range[1]:
            raise ValueError(f"the range {self.range} is empty")

    def to_header(self) -> dict[str, str]:
        """One entry only: safetensors writes several in random order, and same network must mean same bytes."""
        described = asdict(self) | {"interface": self.interface.to_header()}
        if not described["interface"]:  # as files always were whose network takes and gives one picture
            del described["interface"]
        if not described["widths"]:  # shapes of weights say them all
            del described["widths"]
        return {"network": json.dumps(described, sort_keys=True)}

    @classmethod
    def from_header(cls, header: dict[str, str]) -> Description:
        """Raises KeyError when there is none, pydantic's ValidationError when it is no description."""
        return TypeAdapter(cls).validate_json(header["network"])


def read_description(path: Path) -> Description:
    """What the file says of itself, whatever class it names. Raises CheckpointError when it is no file of ours."""
    from safetensors import SafetensorError, safe_open

    try:
        path.open("rb").close()  # safetensors calls every file it cannot open absent
        with safe_open(path, "np") as file:
            return Description.from_header(file.metadata() or {})
    except KeyError:
        raise CheckpointError(f"{path} is no network file of this project: it names no network") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])[:60] or "its header"
        raise CheckpointError(f"{path} is no network file of this project: {where}: {first['msg']}") from None
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        pass_on(error, path, but=ABSENT)
        raise CheckpointError(f"{path} is no network file of this project: {error}") from None


def own_description(path: Path) -> Description | None:
    """What a file of ours says of itself; None for any other checkpoint."""
    try:
        return read_description(path)
    except CheckpointError:
        return None


def is_known(arch: str) -> bool:
    """Whether `arch` is an architecture of this project, whose class a file may ask for."""
    return any(info.name == arch for info in GENERATORS)


def require_allowed(arch: str, path: Path, user_classes: Collection[str]) -> None:
    """Raises ForeignClass when only the file at `path` asks for `arch`.

    `user_classes` are what the recipe or the command line calls its own: importing a class runs whatever bears its
    name, so a file alone cannot ask for it.
    """
    if not is_known(arch) and arch not in user_classes:
        raise ForeignClass(
            f"{path} asks for the network class {arch!r}; a class that only a file names is never imported",
            hint=f"if it is your own and you trust it: --arch {shlex.quote(arch)}, or in a recipe model.arch",
        )
