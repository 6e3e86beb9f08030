"""NAME.engine.json: what a plan is, since a plan has no place for it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from exporter.errors import EngineError
from exporter.failures import ABSENT, pass_on
from exporter.nvidia.build import End, Profile
from exporter.nvidia.library import Builder

SIDECAR_SCHEMA_VERSION = 1


class Sidecar(BaseModel):
    """Nothing in it differs between two builds of the same file by the same builder for the same target."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1]
    builder: Builder
    builder_version: str
    target: str  # "any" | a compute capability such as "8.9" | the GPU it was built on, with its driver
    onnx_sha256: str
    plan_sha256: str
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    profile: Profile | None
    weights_bytes: int | None
    float_weights_bytes: int  # what the same weights take in float32
    layers: int
    warnings: tuple[str, ...]

    @property
    def weights_share(self) -> float | None:
        """Of the float32 weights' memory; about a quarter when weights are really int8."""
        return None if self.weights_bytes is None else self.weights_bytes / max(1, self.float_weights_bytes)


def sidecar_path(engine: Path) -> Path:
    return engine.with_name(f"{engine.name}.json")


def read_sidecar(engine: Path) -> Sidecar:
    """Raises EngineError when it is missing or does not fit."""
    path = sidecar_path(engine)
    try:
        return Sidecar.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        pass_on(error, path, but=ABSENT)
        reason = str(error).splitlines()[0]
        raise EngineError(f"{engine.name} has no usable description {path.name}: {reason}") from None
