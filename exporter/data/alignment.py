"""The metric protocol of RealBlur and RSBlur: two cameras never agree on geometry and exposure to the pixel."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exporter.data.metrics import IDENTICAL_PSNR_DB
from exporter.errors import DataError

Floats = NDArray[np.float32]

PROTOCOLS = {
    "psnr_db": "PSNR after intensity matching and an ECC homography (100 iterations, Gaussian 5) to the sharp "
    "picture; float RGB 0..1, pixels inside the warp only",
    "ssim": "SSIM after the same alignment: skimage gaussian sigma 1.5, per channel, data_range 1, mean over valid "
    "pixels, 5 px border left out, use_sample_covariance=False",
}
ITERATIONS = 100


class Aligned(NamedTuple):
    """`restored` and `sharp` zeroed where `valid` (0 or 1) says the warp looked outside; all (H, W, 3)."""

    restored: Floats
    sharp: Floats
    valid: Floats


def align(restored: Floats, sharp: Floats) -> Aligned:
    """Match `restored` (H, W, 3) RGB 0..1 to `sharp` in intensity, then by the homography that ECC finds.

    After Köhler et al. (2012) as RealBlur applies it. Raises DataError where ECC does not converge.
    """
    import cv2

    scaled = restored * np.float32((sharp * restored).sum() / max(float((restored * restored).sum()), 1e-12))
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (sharp, scaled)]
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, ITERATIONS, 0)
    try:
        start = np.eye(3, dtype=np.float32)
        _, warp = cv2.findTransformECC(
            grey[0], grey[1], start, cv2.MOTION_HOMOGRAPHY, stop, inputMask=None, gaussFiltSize=5
        )
    except cv2.error as error:
        raise DataError(f"ECC cannot align the two pictures: {str(error).strip().splitlines()[-1]}") from None
    size = (sharp.shape[1], sharp.shape[0])
    inverse = cv2.WARP_INVERSE_MAP
    warped = cv2.warpPerspective(scaled, warp, size, flags=cv2.INTER_CUBIC + inverse, borderMode=cv2.BORDER_REFLECT)
    valid = cv2.warpPerspective(np.ones_like(scaled), warp, size, flags=cv2.INTER_NEAREST + inverse)
    return Aligned(warped * valid, sharp * valid, valid)


def aligned_psnr_db(pair: Aligned) -> float:
    """PROTOCOLS["psnr_db"]."""
    squares = np.square(pair.restored.astype(np.float64) - pair.sharp).sum()
    if squares == 0:
        return IDENTICAL_PSNR_DB
    return float(min(IDENTICAL_PSNR_DB, -10 * np.log10(squares / pair.valid.sum(dtype=np.float64))))


def aligned_ssim(pair: Aligned) -> float:
    """PROTOCOLS["ssim"]."""
    from skimage.metrics import structural_similarity

    similarity: Any = structural_similarity  # skimage is untyped
    _, each = similarity(
        pair.sharp,
        pair.restored,
        channel_axis=2,
        gaussian_weights=True,
        use_sample_covariance=False,
        data_range=1.0,
        full=True,
    )
    inner = slice(5, -5)  # the 11×11 window leaves the picture there
    valid = pair.valid[inner, inner]
    return float(((each[inner, inner] * valid).sum((0, 1)) / valid.sum((0, 1))).mean())
