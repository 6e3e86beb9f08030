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

BT601 = np.array((65.481, 128.553, 24.966))  # Y of R, G, B in 0..1, above its foot of 16

PROTOCOLS = {
    "psnr_db": "PSNR: 8-bit rounded RGB, whole image, per-image mean; identical images count 100 dB",
    "parity_db": "Parity: PSNR against the picture of the float model, both cut to 0..1 as they are shown, not rounded",
    "ssim": "SSIM: skimage gaussian sigma 1.5, 11x11, per channel mean, data_range 255 on 8-bit RGB, "
    "use_sample_covariance=False",
    "psnr_y_db": "PSNR on Y: 8-bit rounded RGB, Y of BT.601 (16 to 235, not rounded; a picture of one channel as it "
    "is), a border of as many px as the network enlarges times cut off, per-image mean; identical images count 100 dB",
    "ssim_y": "SSIM on Y, cut and scaled as for PSNR: skimage gaussian sigma 1.5, 11x11, data_range 255, "
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
    return _psnr_of_bytes_db(to_uint8(image).astype(np.float64), to_uint8(truth))


def psnr_y_db(image: Floats, truth: Floats, border_px: int) -> float:
    """PROTOCOLS["psnr_y_db"] of two (H, W, C) pictures in 0..1, as super-resolution is measured; NaN stays NaN."""
    _require_same_shape(image, truth)
    if np.isnan(image).any() or np.isnan(truth).any():
        return float("nan")
    return _psnr_of_bytes_db(luma(image, border_px), luma(truth, border_px))


def _psnr_of_bytes_db(image: NDArray[Any], truth: NDArray[Any]) -> float:
    error = image - truth
    return min(IDENTICAL_PSNR_DB, psnr_of_error_db(float(np.mean(error * error)) / 255.0**2))


def luma(image: Floats, border_px: int) -> NDArray[np.float64]:
    """Y of BT.601 on the scale of bytes, 16 to 235, (H - 2·border_px, W - 2·border_px); of one channel, its bytes.

    The border stays where nothing else would be left.
    """
    pixels = to_uint8(image).astype(np.float64)
    if 2 * border_px < min(pixels.shape[:2]):
        pixels = pixels[border_px : pixels.shape[0] - border_px, border_px : pixels.shape[1] - border_px]
    return pixels[..., :3] @ BT601 / 255 + 16 if pixels.shape[2] >= 3 else pixels[..., 0]


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


def ssim_y(image: Floats, truth: Floats, border_px: int) -> float:
    """PROTOCOLS["ssim_y"] of two (H, W, C) pictures in 0..1, at least 11×11 px without borders; NaN stays NaN."""
    from skimage.metrics import structural_similarity

    _require_same_shape(image, truth)
    if np.isnan(image).any() or np.isnan(truth).any():
        return float("nan")
    similarity: Any = structural_similarity
    protocol = {"data_range": 255, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(similarity(luma(image, border_px), luma(truth, border_px), **protocol))


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
