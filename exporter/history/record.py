"""What a store keeps of a release: figures and digests, no model and no picture. A record is read as a stranger's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exporter.bundle.documents import tree_of
from exporter.bundle.report_file import Number
from exporter.errors import BundleError
from exporter.suggestions import shortened

SCHEMA_VERSION = 1
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=200)]  # as a manifest has it
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Origin(_Part):
    """The exporter that made the release; None where the bundle does not say."""

    version: str | None
    commit: str | None
    modified: bool | None  # whether its code was changed after that commit


class Pictures(_Part):
    """What it was judged by, and how these were made into inputs; figures of others say nothing about each other."""

    name: str
    sha256: str | None
    images: int = Field(ge=0)
    treatment: str  # `noise` and `protocol` of the recipe


class Machine(_Part):
    cpu: str | None
    cores: str | None
    platform: str | None


class Quality(_Part):
    """Against the sharp pictures; `psnr_each_db`: picture by picture, in the set's order."""

    psnr_db: Number
    ssim: Number
    gain_db: Number
    loss_db: Number
    psnr_each_db: tuple[Number, ...]


class Latency(_Part):
    """`engine`: as it calls itself; `device`: what it ran on, without the engine's version."""

    p50_ms: Number
    engine: str
    device: str
    threads: int


class TargetRecord(_Part):
    """What was not measured is None."""

    name: str
    runtime: str
    file: str
    sha256: Sha256
    size_bytes: int = Field(gt=0, lt=1 << 50)
    input: str  # shape, colour and frames, in words
    parity_db: Number | None
    quality: Quality | None
    latency: Latency | None


class Record(_Part):
    schema_version: Literal[1]
    name: Name
    version: Name
    added: str = Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")  # UTC; releases go by it
    sums_sha256: Sha256  # of SHA256SUMS, which lists every file of the bundle but its signatures
    headline: str  # the verdict in words
    signed_by: str | None  # the key that was demanded
    source_commit: str | None  # of the repository that holds recipe and weights, as whoever added it said
    exporter: Origin
    recipe: dict[str, str]  # place → value as JSON
    inputs: dict[str, str]  # weights and sets: place → sha256
    tools: dict[str, str]
    pictures: Pictures
    machine: Machine
    targets: tuple[TargetRecord, ...] = Field(min_length=1)

    @property
    def day(self) -> str:
        return self.added[:10]


def read_record(content: bytes, where: str) -> Record:
    """Raises BundleError, which names `where`, for what is no record of this schema version."""
    tree: dict[str, Any] = tree_of(content, Path(where))
    if tree.get("schema_version") != SCHEMA_VERSION:
        found = shortened(json.dumps(tree.get("schema_version")), 40)
        raise BundleError(f"{where} is of schema version {found}, this exporter reads {SCHEMA_VERSION}")
    try:
        return Record.model_validate_json(content, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BundleError(
            f"{where}: {shortened(place)}: {shortened(first['msg'])}: it is damaged, or was changed"
        ) from None
