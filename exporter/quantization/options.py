"""What both INT8 stages let a recipe choose: how ranges are estimated, and what is done before rounding."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Method = Literal["minmax", "percentile", "mse", "entropy"]


class Int8Options(BaseModel):
    """Fields shared by quantize_tflite and quantize_onnx."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ranges: Method = "minmax"
    percentile: float = Field(default=99.99, gt=50, le=100)
    equalize: bool = False
    rounding: Literal["nearest", "adaptive"] = "nearest"
    bias_correction: bool = False

    @property
    def changes_weights(self) -> bool:
        return self.equalize or self.bias_correction or self.rounding != "nearest"
