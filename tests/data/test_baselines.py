from collections.abc import Callable

import numpy as np
import pytest

from exporter.data.baselines import richardson_lucy, uniform_blur, unsharp_mask, wiener
from exporter.data.blur import BlurOptions, to_linear
from exporter.data.metrics import psnr_db
from tests.conftest import picture


def test_uniform_blur_is_the_same_for_a_seed_and_keeps_the_light() -> None:
    sharp = picture(1, 96, 96)
    (one, kernel), (same, _), (other, _) = (uniform_blur(sharp, seed) for seed in (3, 3, 4))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert np.array_equal(one * 255, np.round(one * 255))


def test_the_kernel_is_the_point_spread_function() -> None:
    """A single bright pixel becomes the kernel itself, not its mirror image."""
    point = np.zeros((65, 65, 3), np.float32)
    point[32, 32] = 1
    blurred, kernel = uniform_blur(point, 5)
    radius = kernel.shape[0] // 2
    seen = to_linear(blurred)[32 - radius : 33 + radius, 32 - radius : 33 + radius, 0]
    assert np.abs(seen - kernel).max() < 0.01
    assert np.abs(seen - kernel[::-1, ::-1]).max() > 0.02


@pytest.mark.parametrize("solve", [wiener, richardson_lucy])
def test_with_the_true_kernel_deconvolution_gains(solve: Callable[..., np.ndarray]) -> None:
    gains = []
    for seed in range(4):
        sharp = picture(seed, 128, 128)
        blurred, kernel = uniform_blur(sharp, seed, BlurOptions(8, 16))
        restored = solve(blurred, kernel)
        assert restored.shape == sharp.shape
        assert restored.dtype == np.float32
        assert restored.min() >= 0
        assert restored.max() <= 1
        gains.append(psnr_db(restored, sharp) - psnr_db(blurred, sharp))
        assert psnr_db(solve(blurred, kernel[::-1]), sharp) < psnr_db(restored, sharp)
    assert np.mean(gains) > 0.5
    assert min(gains) > 0


def test_unsharp_mask_sharpens() -> None:
    blurred, _ = uniform_blur(picture(2, 96, 96), 2)
    sharpened = unsharp_mask(blurred)
    assert np.abs(np.diff(sharpened, axis=0)).mean() > np.abs(np.diff(blurred, axis=0)).mean()
    assert sharpened.max() <= 1
