"""What of a picture is shown, and how far it goes beyond: a network without a final clamp leaves 0..1."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
ROUNDING = 1e-5  # of full scale: less beyond 0..1 is the arithmetic's, not the network's


@dataclass(frozen=True, slots=True)
class Overshoot:
    """How far pictures leave 0..1: `largest` value beyond, full scale 1.0, and `share` of pixels with any beyond."""

    largest: float
    share: float


def shown(picture: Floats) -> Floats:
    """`picture` cut to 0..1; NaN and infinity become NaN, so that neither passes for black or white."""
    return np.where(np.isfinite(picture), np.clip(picture, 0, 1), np.float32("nan"))


def overshoot(pictures: Iterable[Floats]) -> Overshoot:
    """Of all `pictures` together, each (H, W, C); a value that is not a number is beyond any."""
    largest, outside, pixels = 0.0, 0, 0
    for picture in pictures:
        beyond = np.maximum(picture - 1, -picture).max(axis=2)
        largest = float(np.maximum(largest, beyond.max()))  # lets NaN through
        outside += int(np.count_nonzero(~(beyond <= ROUNDING)))
        pixels += beyond.size
    return Overshoot(largest if outside else 0.0, outside / max(pixels, 1))
