"""Does the exported file still give the same picture as the float model of its own chain?

Pictures are compared as they are shown, cut to 0..1: an INT8 file ends there, and nobody sees what a network without a
final clamp gives beyond. How far it goes beyond stands beside the figure, and so does, for a float file, the parity of
the pictures as they are, which a program reads that works on with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from exporter.carried import frames_of
from exporter.data.metrics import psnr_of_error_db
from exporter.data.shown import overshoot, shown
from exporter.measure.results import Parity
from exporter.runtimes.base import Image


def measure_parity(
    reference: Sequence[Image],
    candidate: Sequence[Image],
    names: Sequence[str],
    *,
    ends_at_range: bool = False,
    clip: int = 1,
) -> Parity:
    """Compare two sets of pictures, each float32 (H, W, C) RGB or grey, not rounded. NaN stays NaN.

    `ends_at_range`: the candidate cannot leave 0..1, as INT8 files cannot, so that nothing but what is shown is
    compared. `clip`: frames to a picture, each of which counts by itself. Raises ValueError when the sets differ in
    number or shape.
    """
    if clip > 1:
        reference, candidate = each_frame(reference, clip), each_frame(candidate, clip)
        names = [f"{name}, frame {frame} of {clip}" for name in names for frame in range(1, clip + 1)]
    pairs = list(zip(reference, candidate, strict=True))
    if not pairs:
        raise ValueError("parity needs at least one picture")
    psnr_db = [parity_db(a, b) for a, b in pairs]
    worst = int(np.argmin(psnr_db))  # a NaN counts as the smallest
    return Parity(
        images=len(psnr_db),
        worst_psnr_db=float(np.min(psnr_db)),
        mean_psnr_db=float(np.mean(psnr_db)),
        max_abs=max_difference(pairs),
        worst_image=names[worst],
        unclamped_worst_psnr_db=None if ends_at_range else float(np.min([unclamped_parity_db(a, b) for a, b in pairs])),
        overshoot=overshoot(candidate),
        reference_overshoot=overshoot(reference),
    )


def each_frame(pictures: Sequence[Image], clip: int) -> list[Image]:
    """Every frame by itself, of pictures (H, W, T·C) that hold `clip` frames each."""
    return [frame for picture in pictures for frame in frames_of(picture, picture.shape[2] // clip)]


def parity_db(reference: Image, candidate: Image) -> float:
    """PSNR of two pictures as they are shown, over all pixels and channels, peak 1.0, no 8-bit rounding.

    200 dB when identical; NaN when either holds a NaN or an infinity.
    """
    return unclamped_parity_db(shown(reference), shown(candidate))


def unclamped_parity_db(reference: Image, candidate: Image) -> float:
    """The same of the pictures as they are."""
    if reference.shape != candidate.shape:
        raise ValueError(f"pictures of shapes {reference.shape} and {candidate.shape} cannot be compared")
    error = reference.astype(np.float64) - candidate
    return psnr_of_error_db(float(np.mean(error * error)))


def max_difference(pairs: Iterable[tuple[Image, Image]]) -> float:
    """The largest difference between the two pictures of a pair as they are shown, full scale 1.0."""
    return float(np.max([np.max(np.abs(shown(a) - shown(b))) for a, b in pairs]))
