"""What a recipe may choose for INT8: what is done before rounding, how ranges are chosen, what may be lost."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Method = Literal["minmax", "percentile", "mse", "entropy"]


class Int8Settings(BaseModel):
    """How ranges are chosen, and what is done to weights before they are rounded. Refuses what is none of these."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    ranges: Method = "minmax"
    """How ranges are chosen from the calibration images: minmax keeps all values, percentile cuts off rare ones at both
    ends, mse has the smallest squared error, entropy tells values apart best. Leave the choice to `tune`."""
    percentile: float = Field(default=99.999, gt=50, le=100)
    """Percent of the values that `ranges: percentile` keeps. Lower it where outliers are rare and large."""
    equalize: bool = False
    """Make channels alike across layers before rounding. Turn it on where weights of one layer differ much between
    channels."""
    rounding: Literal["nearest", "adaptive"] = "nearest"
    """How weights are rounded: adaptive chooses up or down by the error of the layer's output. adaptive is better and
    slower."""
    bias_correction: bool = False
    """Take the mean error of rounding back in biases. Turn it on where colours shift."""

    @property
    def changes_weights(self) -> bool:
        return self.equalize or self.bias_correction or self.rounding != "nearest"

    @property
    def chosen(self) -> dict[str, Any]:
        """Those that were named, the others are as ever."""
        return self.model_dump(include=set(Int8Settings.model_fields), exclude_unset=True)

    @property
    def of_weights(self) -> tuple[bool, str, bool]:
        """The part that decides what weights become."""
        return self.equalize, self.rounding, self.bias_correction


class TunableInt8Settings(Int8Settings):
    """`tune` chooses the other settings by trying them (quantization/search/autotune.py)."""

    tune: bool = False
    """Try all settings on calibration images and take the best. Turn it on for a release; it takes a minute or so."""

    @model_validator(mode="after")
    def _tune_chooses_alone(self) -> Self:
        chosen = sorted(self.model_fields_set & set(Int8Settings.model_fields))
        if self.tune and chosen:
            raise ValueError(f"tune chooses {chosen[0]} itself: leave out one of them")
        return self


class MixedPrecision(BaseModel):
    """The budget of a search, against the float network on calibration images.

    A loss is what the picture loses against the truth when the float network reaches `float_psnr_db` there: its error
    and the rounding's are uncorrelated. Of two networks that lose as much to rounding, the better one loses more dB.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    max_loss_db: float = Field(gt=0)
    """Mean PSNR that may be lost against the float network. Raise it for a faster file."""
    max_worst_loss_db: float | None = Field(default=None, gt=0)
    """PSNR that the worst image may lose. Give it where no picture may fall behind."""
    float_psnr_db: float = Field(default=30.0, gt=0, le=60)
    """PSNR of the float network against the truth, which losses are counted at. Make it what your network reaches."""
    images: int = Field(default=8, ge=1, le=1_000_000)
    """Calibration images that are judged by, evenly spread. Lower it where the search takes long."""
    threads: int = Field(default=2, ge=1, le=1024)
    """Threads that times are measured with. Make it what the app uses."""
