"""How close two pictures are, in figures whose protocol has a name: PSNR or SSIM alone says little."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.data.images import to_uint8

Floats = NDArray[np.float32]
IDENTICAL_DB = 200.0  # equal pictures have no finite PSNR; a mean needs one
IDENTICAL_PSNR_DB = 100.0  # the same for 8-bit pictures, as the literature's tables have it

PROTOCOLS = {
    "psnr_db": "PSNR: 8-bit rounded RGB, whole image, per-image mean; identical images count 100 dB",
    "parity_db": "Parity: PSNR against the picture of the float model, both cut to 0..1 as they are shown, not rounded",
    "ssim": "SSIM: skimage gaussian sigma 1.5, 11x11, per channel mean, data_range 255 on 8-bit RGB, "
    "use_sample_covariance=False",
    "ci95": "95 % confidence interval of the mean over images: Student t, half width",
}


def psnr_of_error_db(mean_square: float) -> float:
    """PSNR of a mean squared error at full scale 1.0, IDENTICAL_DB at most; NaN stays NaN."""
    return float(-10 * np.log10(np.maximum(mean_square, 10 ** (-IDENTICAL_DB / 10))))


def psnr_db(image: Floats, truth: Floats) -> float:
    """PROTOCOLS["psnr_db"] of two (H, W, 3) RGB pictures in 0..1; NaN when either holds a NaN."""
    _require_same_shape(image, truth)
    if np.isnan(image).any() or np.isnan(truth).any():
        return float("nan")
    error = to_uint8(image).astype(np.float64) - to_uint8(truth)
    return min(IDENTICAL_PSNR_DB, psnr_of_error_db(float(np.mean(error * error)) / 255.0**2))


def ssim(image: Floats, truth: Floats) -> float:
    """PROTOCOLS["ssim"] of two (H, W, 3) RGB pictures in 0..1, at least 11×11 px; NaN stays NaN."""
    from skimage.metrics import structural_similarity

    _require_same_shape(image, truth)
    if np.isnan(image).any() or np.isnan(truth).any():
        return float("nan")
    similarity: Any = structural_similarity  # skimage is untyped
    return float(
        similarity(
            to_uint8(image),
            to_uint8(truth),
            channel_axis=2,
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def ci95(values: Sequence[float]) -> float:
    """PROTOCOLS["ci95"]: ± this much around the mean; NaN for fewer than two values, one tells no spread."""
    from scipy.special import stdtrit

    if len(values) < 2:
        return float("nan")
    standard_error = np.std(values, ddof=1) / np.sqrt(len(values))
    return float(stdtrit(len(values) - 1, 0.975) * standard_error)


def _require_same_shape(image: Floats, truth: Floats) -> None:
    if image.shape != truth.shape:
        raise ValueError(f"pictures of shapes {image.shape} and {truth.shape} cannot be compared")
