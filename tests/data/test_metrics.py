import math

import numpy as np
import pytest

from exporter.data.images import to_uint8
from exporter.data.metrics import PROTOCOLS, ci95, psnr_db, ssim
from tests.conftest import picture


def noisy(image: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, sigma, image.shape)
    return np.clip(image + noise, 0, 1).astype(np.float32)


def ssim_by_the_paper(image: np.ndarray, truth: np.ndarray) -> float:
    """Wang et al. 2004 written out: 11×11 Gaussian of sigma 1.5, only windows inside the picture, per channel."""
    axis = np.arange(-5, 6)
    window = np.exp(-(axis**2) / (2 * 1.5**2))
    window /= window.sum()

    def mean(x: np.ndarray) -> np.ndarray:
        rows = np.lib.stride_tricks.sliding_window_view(x, 11, axis=0) @ window
        return np.lib.stride_tricks.sliding_window_view(rows, 11, axis=1) @ window

    scores = []
    for channel in range(3):
        x, y = (to_uint8(side)[..., channel].astype(np.float64) for side in (image, truth))
        mx, my = mean(x), mean(y)
        vx, vy, cxy = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        scores.append(((2 * mx * my + c1) * (2 * cxy + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean())
    return float(np.mean(scores))


def test_one_level_everywhere_is_48_db() -> None:
    image = np.full((8, 8, 3), 100 / 255, dtype=np.float32)
    assert psnr_db(image, image + np.float32(1 / 255)) == pytest.approx(20 * math.log10(255))


def test_psnr_rounds_to_bytes_first() -> None:
    image = np.full((8, 8, 3), 100 / 255, dtype=np.float32)
    assert psnr_db(image, image + np.float32(0.4 / 255)) == 100.0


def test_psnr_is_over_the_whole_picture_not_a_mean_of_channels() -> None:
    image = np.zeros((4, 4, 3), dtype=np.float32)
    other = image.copy()
    other[..., 0] = 3 / 255
    assert psnr_db(image, other) == pytest.approx(10 * math.log10(255**2 / 3))


def test_identical_pictures_count_100_db_and_ssim_one() -> None:
    image = picture(1)
    assert psnr_db(image, image) == 100.0
    assert ssim(image, image) == pytest.approx(1.0)
    assert "100 dB" in PROTOCOLS["psnr_db"]


def test_nan_stays_nan() -> None:
    image = picture(2)
    broken = image.copy()
    broken[0, 0, 0] = np.nan
    for metric in (psnr_db, ssim):
        assert math.isnan(metric(broken, image))
        assert math.isnan(metric(image, broken))


def test_pictures_of_different_shapes_are_refused() -> None:
    for metric in (psnr_db, ssim):
        with pytest.raises(ValueError, match=r"\(64, 64, 3\) and \(64, 32, 3\)"):
            metric(picture(1), picture(1, 64, 32))


@pytest.mark.parametrize("sigma", [0.01, 0.05, 0.2])
def test_ssim_is_that_of_the_paper(sigma: float) -> None:
    image = picture(3, 40, 50)
    assert ssim(noisy(image, sigma), image) == pytest.approx(ssim_by_the_paper(noisy(image, sigma), image), abs=1e-6)


def test_ci95_is_students_t() -> None:
    # t(0.975, 4 degrees of freedom) = 2.776445; standard deviation of 1..5 is sqrt(2.5)
    assert ci95([1, 2, 3, 4, 5]) == pytest.approx(2.776445 * math.sqrt(2.5 / 5), rel=1e-6)
    assert ci95([30.0, 30.0]) == 0.0
    assert math.isnan(ci95([30.0]))
    assert math.isnan(ci95([30.0, math.nan, 31.0]))
