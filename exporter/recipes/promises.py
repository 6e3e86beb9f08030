"""The promises a recipe can make about one target. Judged by `exporter.judge.budget`."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator


def _share(value: Any) -> float:
    try:
        share = float(value)
    except (TypeError, ValueError):
        share = -1.0
    if isinstance(value, bool) or not isfinite(share) or not 0 <= share <= 1:
        raise ValueError(
            f"must be a share, 0 to 1, or one for each runtime, such as {{litert_gpu: 1.0}}, got {value!r}"
        )
    return share


def _shares(value: Any) -> float | dict[str, float]:
    return {str(name): _share(share) for name, share in value.items()} if isinstance(value, dict) else _share(value)


def _engines(value: Any) -> bool | tuple[str, ...]:
    said = {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
    if isinstance(said, bool):
        return said
    if isinstance(said, list | tuple) and all(isinstance(name, str) for name in said):
        return tuple(said)
    raise ValueError(f"must be true, false or a list of runtimes, such as [litert_gpu], got {value!r}")


Share = Annotated[float, Field(ge=0, le=1)]


def _listed(value: bool | tuple[str, ...]) -> bool | list[str]:
    return value if isinstance(value, bool) else list(value)


class Budget(BaseModel):
    """Limits; a promise left out is not made. `min_…` is kept at or above the limit, `max_…` at or below.

    Parity compares the target's file with the float model of its own chain, quality compares it with the
    sharp truth, both on the evaluation images.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    min_parity_db: float | None = Field(None, description="parity PSNR of the worst image as it is shown, dB")
    max_loss_db: float | None = Field(None, description="mean PSNR lost against the float model, dB")
    max_worst_loss_db: float | None = Field(None, description="PSNR lost on the image that loses most, dB")
    min_gain_db: float | None = Field(None, description="mean PSNR gained over the input, dB")
    min_psnr_db: float | None = Field(None, description="mean PSNR, dB")
    min_ssim: float | None = Field(None, description="mean SSIM, 0..1", ge=0, le=1)
    min_seam_db: float | None = Field(None, description="PSNR along the seams of tiles, worst image, dB")
    max_latency_ms: float | None = Field(None, description="median of one model call, ms", gt=0)
    max_size_mb: float | None = Field(None, description="file size, MB of 10^6 bytes", gt=0)
    min_int8_mac_share: float | None = Field(None, description="share of MACs done in int8, 0..1", ge=0, le=1)
    min_int16_mac_share: float | None = Field(
        None, description="share of MACs done with int16 activations and int8 weights, 0..1", ge=0, le=1
    )
    max_float_islands: float | None = Field(None, description="float runs between integer ops", ge=0)
    max_transposes: float | None = Field(None, description="TRANSPOSE ops in the file", ge=0)
    max_rank: float | None = Field(None, description="highest tensor rank in the file", ge=1)
    min_accelerated_share: Annotated[
        float | dict[str, float] | None, PlainValidator(_shares, json_schema_input_type=Share | dict[str, Share])
    ] = Field(
        None, description="share of the operators that the runtime's accelerator took, 0..1; a mapping: by runtime"
    )
    forbid_fallback: Annotated[
        bool | tuple[str, ...],
        PlainValidator(_engines, json_schema_input_type=bool | list[str]),
        PlainSerializer(_listed),
    ] = Field(False, description="no operator that the accelerator left to others; a list: on these runtimes")
    forbid_errors: bool = Field(False, description="no lint error, nor anything that the target's engine refuses")

    def limit(self, promise: str, runtime: str) -> float | None:
        """The limit that it sets `promise`, the name of a field, on `runtime`; None where it promises nothing."""
        value = getattr(self, promise)
        if isinstance(value, dict):
            return value.get(runtime)
        if isinstance(value, tuple):
            value = runtime in value
        if isinstance(value, bool):
            return 0.0 if value else None
        return None if value is None else float(value)

    def named_runtimes(self) -> Iterator[tuple[str, str]]:
        """Every runtime that it names, with the promise that does."""
        for promise in RESIDENCY:
            value = getattr(self, promise)
            if isinstance(value, dict | tuple):
                yield from ((promise, name) for name in value)


RESIDENCY = ("min_accelerated_share", "forbid_fallback")
ELSEWHERE = ("min_parity_db", *RESIDENCY)  # hold on the target's own runtime and on those of `also_on`
