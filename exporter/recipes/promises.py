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

    min_parity_db: float | None = None
    """PSNR between the pictures of the file and those of the float model of its own chain, as they are shown, on the
    worst evaluation image, dB. Promise it of every file: 80 of a float one, 60 of fp16 and 38 of INT8 are usual."""
    max_loss_db: float | None = None
    """Mean PSNR against the sharp truth that the file loses to the float model, dB. Promise it of INT8 files, whose
    parity says less of what is seen; 0.1 is hardly visible."""
    max_worst_loss_db: float | None = None
    """The same loss on the image that loses most, dB. Promise it where no single picture may suffer."""
    min_gain_db: float | None = None
    """Mean PSNR gained over the picture that goes in, or over bicubic enlargement, dB. Promise it always: a network
    that restores nothing keeps every other promise about pictures."""
    min_psnr_db: float | None = None
    """Mean PSNR against the sharp truth, dB. Promise it where a published figure on the same pictures has to be
    reached."""
    min_ssim: float | None = Field(None, ge=0, le=1)
    """Mean structural similarity to the sharp truth, 0..1. Promise it where structure counts for more than single
    pixels."""
    min_seam_db: float | None = None
    """PSNR along the seams of tiles that are put together, worst image, dB. Promise it where pictures are larger than
    the input."""
    max_latency_ms: float | None = Field(None, gt=0)
    """Median time of one model call on the target's runtime, ms. Promise it where releases are made on one quiet
    machine; on another it says nothing."""
    max_size_mb: float | None = Field(None, gt=0)
    """Size of the file, MB of 10^6 bytes. Promise it where a download or an app has a limit."""
    min_int8_mac_share: float | None = Field(None, ge=0, le=1)
    """Share of the multiply-accumulates that are done in int8, 0..1. Promise it of INT8 files, in which a layer may
    stay in float unseen."""
    min_int16_mac_share: float | None = Field(None, ge=0, le=1)
    """Share of the multiply-accumulates that are done with int16 activations and int8 weights, 0..1. Promise it of
    `precision: int16x8`."""
    max_float_islands: float | None = Field(None, ge=0)
    """Runs of float operators between integer ones. Promise 0 for an NPU, which hands each of them to the CPU and
    back."""
    max_transposes: float | None = Field(None, ge=0)
    """TRANSPOSE operators in the file. Promise 0 for phones, where each moves a whole picture through memory."""
    max_rank: float | None = Field(None, ge=1)
    """Highest rank of a tensor in the file. Promise 4 for GPUs, whose delegates refuse more."""
    min_accelerated_share: Annotated[
        float | dict[str, float] | None, PlainValidator(_shares, json_schema_input_type=Share | dict[str, Share])
    ] = None
    """Share of the operators that the runtime's accelerator took, 0..1; a mapping such as `{litert_gpu: 1.0}` says it
    by runtime. Promise it where some operators may stay on the CPU."""
    forbid_fallback: Annotated[
        bool | tuple[str, ...],
        PlainValidator(_engines, json_schema_input_type=bool | list[str]),
        PlainSerializer(_listed),
    ] = False
    """No operator may be left to others by the accelerator; a list says it of these runtimes alone. Promise it where
    the file is for a GPU or an NPU and has to run there whole."""
    forbid_errors: bool = False
    """No error may be found in the file by lint, nor anything that the target's engine refuses. Promise it of every
    file that is shipped."""

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
