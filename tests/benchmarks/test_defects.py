import numpy as np
import pytest

from benchmarks.defects import border_loss, colour_shift, grid
from exporter.data.baselines import uniform_blur
from tests.conftest import picture


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    sharp = picture(3, 96, 96)
    return uniform_blur(sharp, 3)[0], sharp


def test_the_sharp_picture_has_no_defect(pair: tuple[np.ndarray, np.ndarray]) -> None:
    blurred, sharp = pair
    assert colour_shift(sharp, blurred) < 1.5
    assert grid(sharp, blurred) < 1.5
    assert border_loss(sharp, blurred, sharp) < 0
    assert border_loss(blurred, blurred, sharp) == 0


def test_each_defect_is_seen(pair: tuple[np.ndarray, np.ndarray]) -> None:
    blurred, sharp = pair
    assert colour_shift(blurred + np.float32([0.05, 0, 0]), blurred) > 5
    board = np.indices((96, 96)).sum(0)[..., None] % 2 * np.float32(0.04)
    assert grid(blurred + board, blurred) == pytest.approx(10.2, abs=0.1)
    broken = sharp.copy()
    broken[:2] = 0
    assert border_loss(broken, blurred, sharp) > border_loss(sharp, blurred, sharp) + 5
