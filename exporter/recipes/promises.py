"""The promises a recipe can make about one target. Judged by `exporter.judge.budget`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


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
    max_float_islands: float | None = Field(None, description="float runs between integer ops", ge=0)
    max_transposes: float | None = Field(None, description="TRANSPOSE ops in the file", ge=0)
    max_rank: float | None = Field(None, description="highest tensor rank in the file", ge=1)
    forbid_errors: bool = Field(False, description="no lint error, nor anything that the target's engine refuses")
