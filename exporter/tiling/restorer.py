"""A loaded model with all that is done around it: denoising before, the choice of tiles, the tiles themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from exporter.artifact import Colour
from exporter.data.colour import in_colour, to_look_at
from exporter.data.images import to_uint8
from exporter.runtimes.base import Image, Session
from exporter.tiling.blur_detection import sharpness
from exporter.tiling.grid import Tiling
from exporter.tiling.processing import Processing
from exporter.tiling.restore import Pixels, restore
from exporter.tiling.sizes import best_size


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


class Restores(Protocol):
    """Whatever restores photographs."""

    def restore(self, pictures: Sequence[Pixels]) -> list[Pixels]: ...


class RestorerOfSizes:
    """A model of several sizes: each picture goes through the one that fits it best.

    `open_at`: makes the restorer of a size; it is asked once for each that is needed. `used`: how many pictures went
    through which.
    """

    def __init__(self, tilings: Mapping[str, Tiling], open_at: Callable[[str], Restores]) -> None:
        self._tilings, self._open_at = tilings, open_at
        self._opened: dict[str, Restores] = {}
        self.used: Counter[str] = Counter()

    def restore(self, pictures: Sequence[Pixels]) -> list[Pixels]:
        """`pictures`, all of one size, restored. Raises EngineError."""
        height, width = pictures[0].shape[:2]
        name = best_size(self._tilings, height, width)
        if name not in self._opened:
            self._opened[name] = self._open_at(name)
        self.used[name] += len(pictures)
        return self._opened[name].restore(pictures)


def _converted(pixels: Pixels, convert: Callable[[Image, Colour], Image], colour: Colour) -> Pixels:
    return pixels if colour == "rgb" else to_uint8(convert(pixels.astype(np.float32) / 255, colour))


def denoise(picture: Pixels, strength: float) -> Pixels:
    """Non-local means (Buades, Coll & Morel 2005), OpenCV's, with its own window sizes; `strength` in 8-bit levels."""
    import cv2

    return np.asarray(cv2.fastNlMeansDenoisingColored(picture, None, strength, strength), np.uint8)
