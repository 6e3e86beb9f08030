"""Does the exported file still give the same picture as the float model of its own chain?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from exporter.data.metrics import psnr_of_error_db
from exporter.measure.results import Parity
from exporter.runtimes.base import Image


def measure_parity(reference: Sequence[Image], candidate: Sequence[Image], names: Sequence[str]) -> Parity:
    """Compare two sets of pictures, each float32 (H, W, 3), not rounded. NaN stays NaN.

    Raises ValueError when the sets differ in number or shape.
    """
    psnr_db = [parity_db(a, b) for a, b in zip(reference, candidate, strict=True)]
    if not psnr_db:
        raise ValueError("parity needs at least one picture")
    worst = int(np.argmin(psnr_db))  # a NaN counts as the smallest
    return Parity(
        images=len(psnr_db),
        worst_psnr_db=float(np.min(psnr_db)),
        mean_psnr_db=float(np.mean(psnr_db)),
        max_abs=float(np.max([np.max(np.abs(a - b)) for a, b in zip(reference, candidate, strict=True)])),
        worst_image=names[worst],
    )


def parity_db(reference: Image, candidate: Image) -> float:
    """PSNR over all pixels and channels, peak 1.0, no 8-bit rounding; 200 dB when identical."""
    if reference.shape != candidate.shape:
        raise ValueError(f"pictures of shapes {reference.shape} and {candidate.shape} cannot be compared")
    error = reference.astype(np.float64) - candidate
    return psnr_of_error_db(float(np.mean(error * error)))
