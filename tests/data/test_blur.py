from dataclasses import replace

import numpy as np
import pytest

from exporter.data.blur import (
    BlurOptions,
    blur,
    blurred_pair,
    disc,
    draw_kernels,
    draw_trajectory,
    rasterise,
    to_linear,
    to_srgb,
)
from exporter.data.metrics import psnr_db
from tests.conftest import picture

CLEAN = BlurOptions(highlight_probability=0, max_noise_gain=0, max_read_noise=0, jpeg_probability=0, max_kernels=1)


def test_the_transfer_function_is_undone_exactly() -> None:
    levels = np.linspace(0, 1, 256, dtype=np.float32)
    assert np.allclose(to_srgb(to_linear(levels)), levels, atol=1e-5)
    assert to_linear(np.array([0.5], dtype=np.float32))[0] == pytest.approx(0.21404, abs=1e-4)


def test_kernels_keep_the_light() -> None:
    for seed in range(20):
        for kernel in draw_kernels(np.random.default_rng(seed), BlurOptions()):
            assert kernel.sum() == pytest.approx(1, abs=1e-5)
            assert kernel.min() >= 0
            assert kernel.shape[0] == kernel.shape[1]
            assert kernel.shape[0] % 2 == 1


def test_a_trajectory_is_as_long_as_asked() -> None:
    path = draw_trajectory(np.random.default_rng(3), 20.0)
    length = np.hypot(*np.diff(path, axis=0).T).sum()
    assert length == pytest.approx(20, rel=0.05)
    assert path.mean(axis=0) == pytest.approx([0, 0], abs=1e-9)


def test_a_path_that_stands_still_blurs_nothing() -> None:
    kernel = rasterise(np.zeros((5, 2)))
    assert kernel[kernel.shape[0] // 2, kernel.shape[0] // 2] == 1


def test_blur_averages_linear_light() -> None:
    sharp = np.full((64, 64, 3), 0.2, dtype=np.float32)
    sharp[::2] = 0.8
    options = replace(CLEAN, min_length_px=20, max_length_px=20)
    light = to_linear(blur(sharp, np.random.default_rng(0), options)).mean()
    assert light == pytest.approx(float(to_linear(sharp).mean()), abs=0.01)


def test_the_seed_alone_decides() -> None:
    sharp = picture(1)
    one, same, other = (blur(sharp, np.random.default_rng(seed)) for seed in (7, 7, 8))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_longer_shake_blurs_more() -> None:
    sharp = picture(2, 128, 128)
    means = []
    for length in (2.0, 8.0, 24.0):
        options = replace(CLEAN, min_length_px=length, max_length_px=length)
        scores = [psnr_db(blur(sharp, np.random.default_rng(seed), options), sharp) for seed in range(5)]
        means.append(np.mean(scores))
    assert means[0] > means[1] > means[2]


@pytest.mark.parametrize("seed", range(6))
def test_blurred_pictures_keep_shape_and_range(seed: int) -> None:
    sharp = picture(seed, 50, 70)
    blurred = blur(sharp, np.random.default_rng(seed))
    assert blurred.shape == sharp.shape
    assert blurred.dtype == np.float32
    assert blurred.min() >= 0
    assert blurred.max() <= 1


def smeared(seed: int, **changes: float) -> tuple[np.ndarray, np.ndarray]:
    """A picture with texture everywhere, so that every motion shows, and the same taken while things move."""
    sharp = 0.5 * picture(seed, 160, 160) + np.random.default_rng(seed).uniform(0, 0.5, (160, 160, 3)).astype(
        np.float32
    )
    return sharp, blur(
        sharp, np.random.default_rng(seed), replace(CLEAN, min_length_px=12, max_length_px=24, **changes)
    )


@pytest.mark.parametrize("seed", range(4))
def test_a_still_picture_stays_as_it_is(seed: int) -> None:
    sharp, still = smeared(seed, still_probability=1)
    assert np.abs(still - sharp).max() < 1e-5
    assert np.abs(smeared(seed)[1] - sharp).max() > 0.1


@pytest.mark.parametrize("seed", range(8))
def test_a_moving_object_leaves_the_background_alone(seed: int) -> None:
    sharp, moved = smeared(seed, object_probability=1)
    change = np.abs(moved - sharp).max(axis=2)
    assert (change < 1 / 255).mean() > 0.2
    assert (change > 0.05).mean() > 0.2
    assert to_linear(moved).mean() == pytest.approx(float(to_linear(sharp).mean()), rel=0.02)


def test_a_moving_camera_leaves_nothing_alone() -> None:
    sharp, moved = smeared(0)
    assert (np.abs(moved - sharp).max(axis=2) < 1 / 255).mean() < 0.01


def test_a_moving_object_on_a_flat_picture_cannot_be_seen() -> None:
    """Its light and its outline smear alike: no seam, no shadow."""
    flat = np.full((96, 96, 3), 0.4, dtype=np.float32)
    for seed in range(4):
        moved = blur(flat, np.random.default_rng(seed), replace(CLEAN, object_probability=1))
        assert np.abs(moved - flat).max() < 1e-4


def test_the_kinds_of_motion_come_as_often_as_asked() -> None:
    sharp = picture(3, 64, 64)
    options = replace(CLEAN, min_length_px=12, max_length_px=24, still_probability=0.3, object_probability=0.7)
    rng = np.random.default_rng(0)
    still = [bool(np.abs(blur(sharp, rng, options) - sharp).max() < 1e-5) for _ in range(200)]
    assert np.mean(still) == pytest.approx(0.3, abs=0.1)


def test_noise_is_noise() -> None:
    flat = np.full((64, 64, 3), 0.5, dtype=np.float32)
    assert blur(flat, np.random.default_rng(0), CLEAN).std() < 1e-4
    noisy = BlurOptions(highlight_probability=0, jpeg_probability=0, max_noise_gain=3e-3, max_read_noise=8e-3)
    assert blur(flat, np.random.default_rng(0), noisy).std() > 1e-3


@pytest.mark.parametrize("radius_px", [0.5, 1.0, 2.7])
def test_a_point_out_of_focus_keeps_its_light(radius_px: float) -> None:
    kernel = disc(radius_px)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert np.array_equal(kernel, kernel[::-1]) and np.array_equal(kernel, kernel.T)
    assert kernel[0].max() == 0  # nothing is cut off


def test_defocus_blurs_what_stands_still() -> None:
    sharp = picture(4, 64, 64)
    options = replace(CLEAN, still_probability=1, defocus_probability=1)
    assert np.abs(blur(sharp, np.random.default_rng(0), options) - sharp).max() > 0.02


def test_at_another_exposure_both_pictures_are_brighter_or_darker() -> None:
    sharp = picture(5, 48, 48)
    still = replace(CLEAN, still_probability=1, exposure_stops=1)
    for seed in range(4):
        blurred, target = blurred_pair(sharp, np.random.default_rng(seed), still)
        assert np.abs(blurred - target).max() < 1e-5
        ratio = to_linear(target)[target < 1].mean() / to_linear(sharp)[target < 1].mean()
        assert 0.5 <= ratio <= 2
        assert ratio != pytest.approx(1, abs=1e-3)


def test_an_overexposed_highlight_is_clipped_behind_the_blur() -> None:
    """Its light beyond white reaches further than that of the white it looks like."""
    lamp = np.zeros((96, 96, 3), dtype=np.float32)
    lamp[40:56, 40:56] = 0.9
    options = replace(CLEAN, min_length_px=16, max_length_px=16, exposure_stops=2)
    pairs = [blurred_pair(lamp, np.random.default_rng(seed), options) for seed in range(20)]
    blurred, target = max(pairs, key=lambda pair: pair[0].sum())  # the brightest exposure
    assert target.max() == pytest.approx(1)
    as_white = blur(target, np.random.default_rng(0), replace(options, exposure_stops=0))
    assert blurred.sum() > 1.05 * as_white.sum()
