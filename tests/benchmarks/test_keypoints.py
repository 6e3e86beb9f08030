import numpy as np
from skimage import data

from benchmarks.keypoints import keypoint_matches
from exporter.data.baselines import uniform_blur
from exporter.data.blur import BlurOptions


def photo() -> np.ndarray:
    return data.astronaut()[100:356, 100:356].astype(np.float32) / 255


def test_blur_loses_keypoints_and_a_flat_picture_has_none() -> None:
    sharp = photo()
    itself = keypoint_matches(sharp, sharp)
    light, _ = uniform_blur(sharp, 0, BlurOptions(3, 3))
    heavy, _ = uniform_blur(sharp, 0, BlurOptions(20, 20))
    assert itself > keypoint_matches(light, sharp) > keypoint_matches(heavy, sharp)
    assert keypoint_matches(np.full_like(sharp, 0.5), sharp) == 0
    assert keypoint_matches(sharp, np.full_like(sharp, 0.5)) == 0


def test_matches_in_the_wrong_place_do_not_count() -> None:
    sharp = photo()
    assert keypoint_matches(np.roll(sharp, 20, axis=1), sharp) < 0.1 * keypoint_matches(sharp, sharp)
