import cv2
import numpy as np
import pytest

from exporter.data.alignment import align, aligned_psnr_db, aligned_ssim
from exporter.data.metrics import psnr_db, ssim
from exporter.errors import DataError
from tests.conftest import picture


def textured(size: int = 96) -> np.ndarray:
    """ECC needs gradients everywhere: shapes, softened."""
    return cv2.GaussianBlur(picture(5, size, size), (0, 0), 1.5)


def test_identical_pictures_stay_identical() -> None:
    sharp = textured()
    pair = align(sharp, sharp)
    assert aligned_psnr_db(pair) > 60
    assert aligned_ssim(pair) > 0.999


def test_a_shift_and_another_exposure_are_undone() -> None:
    sharp = textured()
    moved = np.ascontiguousarray(np.roll(sharp, (2, -3), axis=(0, 1)) * np.float32(0.8))
    pair = align(moved, sharp)
    assert psnr_db(moved, sharp) < 20
    assert aligned_psnr_db(pair) > psnr_db(moved, sharp) + 5
    assert aligned_ssim(pair) > ssim(moved, sharp)
    assert 0.85 < pair.valid.mean() < 1  # what the warp brought in from outside does not count
    assert np.array_equal(pair.restored, pair.restored * pair.valid)


def test_what_is_really_different_stays_different() -> None:
    sharp = textured()
    blurred = cv2.GaussianBlur(sharp, (0, 0), 3)
    assert aligned_psnr_db(align(blurred, sharp)) == pytest.approx(psnr_db(blurred, sharp), abs=1.5)


def test_a_blank_picture_cannot_be_aligned() -> None:
    with pytest.raises(DataError, match="ECC cannot align"):
        align(np.full((64, 64, 3), 0.5, np.float32), textured(64))
