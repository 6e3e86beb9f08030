"""What is done around the network, as a recipe says it and a bundle's manifest carries it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

SHARP_ABOVE = 0.88  # see exporter/tiling/blur_detection.py for how well that tells


class Processing(BaseModel):
    """Optional steps before the network. What a sharp tile is: `exporter.tiling.blur_detection.sharpness`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    denoise: float = Field(default=0.0, ge=0, le=30)  # strength of non-local means, 8-bit levels; 0: none
    only_blurred: bool = False  # tiles that are sharp stay as they are
    sharp_above: float = Field(default=SHARP_ABOVE, ge=0, le=1)
