"""A loaded model with all that is done around it: denoising before, the choice of tiles, the tiles themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from exporter.artifact import Colour
from exporter.data.colour import in_colour, to_look_at
from exporter.data.images import to_uint8
from exporter.runtimes.base import Image, Session
from exporter.tiling.blur_detection import sharpness
from exporter.tiling.grid import Tiling
from exporter.tiling.processing import Processing
from exporter.tiling.restore import Pixels, restore


@dataclass(frozen=True, slots=True)
class Restorer:
    """A session, the tiling of its model, and the processing around it.

    `given` and `made`: what the model's channels are; photographs stay RGB on both sides.
    """

    session: Session
    tiling: Tiling
    processing: Processing = Processing()
    given: Colour = "rgb"
    made: Colour = "rgb"

    def restore(self, pictures: Sequence[Pixels]) -> list[Pixels]:
        """`pictures`, all of one size: denoised, then their blurred tiles restored. Raises EngineError."""
        if self.processing.denoise:
            pictures = [denoise(picture, self.processing.denoise) for picture in pictures]
        choose = self._is_blurred if self.processing.only_blurred else None
        shown = [_converted(picture, in_colour, self.given) for picture in pictures]
        made = restore(shown, self.session.infer_all, self.tiling, choose)
        return [_converted(picture, to_look_at, self.made) for picture in made]

    def _is_blurred(self, tile: Image) -> bool:
        return sharpness(tile) <= self.processing.sharp_above


def _converted(pixels: Pixels, convert: Callable[[Image, Colour], Image], colour: Colour) -> Pixels:
    return pixels if colour == "rgb" else to_uint8(convert(pixels.astype(np.float32) / 255, colour))


def denoise(picture: Pixels, strength: float) -> Pixels:
    """Non-local means (Buades, Coll & Morel 2005), OpenCV's, with its own window sizes; `strength` in 8-bit levels."""
    import cv2

    return np.asarray(cv2.fastNlMeansDenoisingColored(picture, None, strength, strength), np.uint8)
