"""Known pictures give known figures; a NaN never turns into a number."""

from __future__ import annotations

import math

import numpy as np
import pytest

from exporter.data.evaluation import Pair
from exporter.data.shown import Overshoot
from exporter.measure.parity import measure_parity, parity_db, unclamped_parity_db
from exporter.measure.quality import measure_quality
from tests.runtimes.tiny_models import photo

NAMES = ["a", "b", "c"]
LEVEL = np.float32(1 / 255)  # pictures on the 8-bit lattice, so that rounding changes nothing
SHARP = [np.rint(photo(seed) * 200 + 20).astype(np.float32) * LEVEL for seed in range(3)]
PAIRS = [Pair(name, sharp + 16 * LEVEL, sharp) for name, sharp in zip(NAMES, SHARP, strict=True)]


def off_by(*errors: float) -> list[np.ndarray]:
    return [sharp + np.float32(error) for sharp, error in zip(SHARP, errors, strict=True)]


def test_parity_of_known_errors():
    parity = measure_parity(SHARP, off_by(0.01, 0.1, 0.001), NAMES)
    assert parity.images == 3 and parity.worst_image == "b"
    assert parity.worst_psnr_db == pytest.approx(20, abs=1e-3)
    assert parity.mean_psnr_db == pytest.approx((40 + 20 + 60) / 3, abs=0.01)
    assert parity.max_abs == pytest.approx(0.1, abs=1e-6)


def test_parity_is_of_what_is_shown_and_says_how_far_pictures_go_beyond():
    """The float model leaves 0..1 in one corner; a file that ends at 0 and 1 shows the same picture."""
    free = SHARP[0].copy()
    free[0, 0], free[0, 1, 2] = 1.5, -0.25
    cut = np.clip(free, 0, 1)
    assert parity_db(free, cut) == 200 and unclamped_parity_db(free, cut) < 60
    parity = measure_parity([free], [cut], ["a"])
    assert (parity.worst_psnr_db, parity.max_abs) == (200, 0)
    assert parity.unclamped_worst_psnr_db == unclamped_parity_db(free, cut)
    assert parity.reference_overshoot == Overshoot(0.5, 2 / (free.shape[0] * free.shape[1]))
    assert parity.overshoot == Overshoot(0, 0)
    assert measure_parity([free], [cut], ["a"], ends_at_range=True).unclamped_worst_psnr_db is None
    assert parity_db(cut, free[::-1]) < 30


def test_an_infinite_pixel_is_not_shown_as_white():
    white, broken = np.ones((4, 4, 3), np.float32), np.ones((4, 4, 3), np.float32)
    broken[0, 0, 0] = np.inf
    parity = measure_parity([white], [broken], ["a"])
    assert math.isnan(parity.worst_psnr_db) and math.isnan(parity.max_abs)
    assert parity.overshoot == Overshoot(math.inf, 1 / 16)


def test_identical_pictures_have_a_finite_parity():
    assert parity_db(SHARP[0], SHARP[0]) == 200


def test_one_nan_pixel_spoils_parity_and_quality():
    broken = off_by(0, 0, 0)
    broken[1][3, 4, 0] = np.nan
    parity = measure_parity(SHARP, broken, NAMES)
    assert parity.worst_image == "b"
    assert all(map(math.isnan, (parity.worst_psnr_db, parity.mean_psnr_db, parity.max_abs)))
    quality = measure_quality(broken, SHARP, PAIRS)
    for field in ("psnr_db", "ssim", "gain_db", "worst_gain_db", "loss_db", "worst_loss_db"):
        assert math.isnan(getattr(quality, field)), field
    assert quality.worst_image == "b"


def test_an_infinite_pixel_is_not_clipped_to_white():
    broken = off_by(0, 0, 0)
    broken[0][0, 0, 0] = np.inf
    quality = measure_quality(broken, SHARP, PAIRS)
    assert math.isnan(quality.psnr_db) and math.isnan(quality.ssim)


def test_pictures_of_other_shapes_or_numbers_are_refused():
    with pytest.raises(ValueError, match="shape"):
        measure_parity(SHARP, [image.transpose(1, 0, 2) for image in SHARP], NAMES)
    with pytest.raises(ValueError, match="shorter"):
        measure_parity(SHARP, SHARP[:2], NAMES)
    with pytest.raises(ValueError, match="at least one"):
        measure_parity([], [], [])


def test_quality_of_known_errors():
    """The input is 16 grey levels off, the reference 2, the file 4 and on one image 8: steps of 6.02 dB."""
    step, four_levels = 20 * math.log10(2), 20 * math.log10(255 / 4)
    quality = measure_quality(off_by(*(np.array([4, 8, 4]) * LEVEL)), off_by(*[2 * LEVEL] * 3), PAIRS)
    assert quality.images == 3
    assert quality.input_psnr_db == pytest.approx(four_levels - 2 * step)
    assert quality.psnr_db == pytest.approx(four_levels - step / 3)
    assert quality.gain_db == pytest.approx(quality.psnr_db - quality.input_psnr_db)
    assert (quality.worst_image, quality.worst_gain_db) == ("b", pytest.approx(step))
    assert quality.loss_db == pytest.approx(step * 4 / 3) and quality.worst_loss_db == pytest.approx(2 * step)
    assert np.mean(quality.psnr_each_db) == pytest.approx(quality.psnr_db)
    assert quality.psnr_ci95_db == pytest.approx(4.303 * step / 3, rel=1e-3)  # Student t, 2 degrees of freedom
    assert 0.9 < quality.ssim < 1
