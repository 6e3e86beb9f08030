"""The `input` of a recipe: the picture that the exported files take."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from exporter.generators.interface import MOST_FRAMES
from exporter.recipes.values import Part, Side, is_none, is_one

LARGEST_PICTURE_PX = 2**25  # an 8K frame; every activation of a network is a multiple of it


class Input(Part):
    """Size of the picture (or tile) the exported files take, in px, and what its channels are."""

    height: Side = 256
    width: Side = 256
    # Without it found out by trying. rggb: four sensor values of a cell; the photograph is twice as high and wide.
    colour: Literal["rgb", "bgr", "grey", "y", "rgba", "rggb"] | None = Field(default=None, exclude_if=is_none)
    frames: int = Field(default=1, ge=1, le=MOST_FRAMES, exclude_if=is_one)  # pictures of a film, stacked on channels

    @model_validator(mode="after")
    def _fits_into_memory(self) -> Self:
        if self.height * self.width > LARGEST_PICTURE_PX:
            raise ValueError(f"{self.height}×{self.width} px are more than {LARGEST_PICTURE_PX / 1e6:.0f} megapixels")
        return self
