"""What is done around the network, as a recipe says it and a bundle's manifest carries it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

SHARP_ABOVE = 0.88  # see exporter/tiling/blur_detection.py for how well that tells


class Processing(BaseModel):
    """Optional steps before the network. What a sharp tile is: `exporter.tiling.blur_detection.sharpness`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    denoise: float = Field(default=0.0, ge=0, le=30)
    """Strength of non-local means before the network, in 8-bit levels; 0 is none. Raise it for noisy cameras."""
    only_blurred: bool = False
    """Leave tiles that are sharp as they are. Turn it on to save time and keep what is good."""
    sharp_above: float = Field(default=SHARP_ABOVE, ge=0, le=1)
    """How sharp a tile is that stays, as exporter/tiling/blur_detection.py counts it. Lower it where sharp tiles are
    restored."""
