"""What the parts of recipes are made of: names, numbers within bounds, and what a key without a word stands for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from exporter.files.hub_reference import hub_reference_of

LARGEST_SIDE_PX = 16384
MOST_THREADS = 1024
LARGEST_SEED = 2**63 - 1  # what every generator of random numbers and every reader of JSON integers takes


NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"
VERSION = r"[A-Za-z0-9][A-Za-z0-9._-]*"


def _plain_name(name: str) -> str:
    if not re.fullmatch(NAME, name):
        raise ValueError(
            f"a name holds letters, digits, _ and - and begins with one of the first two, not {name[:80]!r}"
        )
    return name


def _plain_version(version: str) -> str:
    if not re.fullmatch(VERSION, version):
        raise ValueError(f"a version holds letters, digits, . _ and -, not {version[:80]!r}")
    if version.endswith(".missed"):
        raise ValueError("a version may not end in .missed: so end the folders of runs that missed a promise")
    return version


# A name becomes part of file names, in a bundle and in a build folder.
Name = Annotated[str, Field(max_length=64, json_schema_extra={"pattern": f"^{NAME}$"}), AfterValidator(_plain_name)]
Version = Annotated[
    str, Field(max_length=64, json_schema_extra={"pattern": f"^{VERSION}$"}), AfterValidator(_plain_version)
]
Threads = Annotated[int, Field(ge=1, le=MOST_THREADS)]
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
Side = Annotated[int, Field(ge=16, le=LARGEST_SIDE_PX)]


def is_empty(value: Any) -> bool:
    return not value


def is_none(value: Any) -> bool:
    return value is None


def is_one(value: Any) -> bool:
    return bool(value == 1)


class Part(BaseModel):
    """A piece of a recipe: no key it does not know, no number that is none, numbers where text is wanted as written."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, coerce_numbers_to_str=True)


def portable(tree: Any) -> Any:
    """Absolute paths below the working directory become relative, what a hub gave is named as there: bundles must not
    depend on where they were made."""
    if isinstance(tree, dict):
        return {key: portable(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [portable(value) for value in tree]
    if isinstance(tree, str) and tree.startswith("/"):
        path = Path(tree)
        if reference := hub_reference_of(path):
            return str(reference)
        return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else path.name
    return tree
