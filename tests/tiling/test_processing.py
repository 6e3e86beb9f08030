"""Blur detection on the shipped pairs; denoising; both around a model."""

from __future__ import annotations

import numpy as np
import pytest

from exporter.data.evaluation import open_evaluation
from exporter.errors import RecipeError
from exporter.recipes.export import load_recipe
from exporter.tiling.blur_detection import sharpness
from exporter.tiling.grid import Tiling
from exporter.tiling.processing import SHARP_ABOVE, Processing
from exporter.tiling.restorer import Restorer, denoise
from tests.conftest import REPO, picture


class Inverting:
    """A session that makes negatives and counts them."""

    def __init__(self) -> None:
        self.tiles = 0

    def infer_all(self, tiles):
        self.tiles += len(tiles)
        return [1 - tile for tile in tiles]


def test_most_blurred_pictures_are_told_from_most_sharp_ones():
    pairs = list(open_evaluation(REPO / "calibration" / "evaluation_256", 256, 256))
    blurred = np.array([sharpness(pair.blurred) for pair in pairs])
    sharp = np.array([sharpness(pair.sharp) for pair in pairs])
    assert (blurred < sharp).all()
    assert (blurred <= SHARP_ABOVE).mean() >= 0.9
    assert (sharp > SHARP_ABOVE).mean() >= 0.7


def test_contrast_and_flatness_say_nothing_about_blur():
    image = picture(1)
    assert abs(sharpness(image) - sharpness(0.3 * image)) < 1e-3
    assert sharpness(np.full((32, 32, 3), 0.4, np.float32)) == 1


def test_only_the_blurred_half_is_restored():
    import cv2

    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    half = np.concatenate([noise, cv2.GaussianBlur(noise, (0, 0), 3)], axis=1)
    session = Inverting()
    (restored,) = Restorer(session, Tiling(64, 64, 0), Processing(only_blurred=True)).restore([half])
    assert session.tiles == 1
    assert np.array_equal(restored[:, :64], noise)
    assert np.array_equal(restored[:, 64:], 255 - half[:, 64:])


def test_denoising_comes_first():
    clean = (picture(4) * 255).astype(np.uint8)
    noisy = np.clip(clean + np.random.default_rng(0).normal(0, 4, clean.shape), 0, 255).astype(np.uint8)
    quiet = denoise(noisy, 3)
    assert np.square(quiet - clean.astype(float)).mean() < 0.7 * np.square(noisy - clean.astype(float)).mean()
    (restored,) = Restorer(Inverting(), Tiling(64, 64, 0), Processing(denoise=3)).restore([noisy])
    assert np.array_equal(restored, 255 - quiet)


def test_a_recipe_says_what_is_done_around_the_network(monkeypatch):
    monkeypatch.chdir(REPO)
    recipe = load_recipe("mobile_deblur.yaml", {"processing.only_blurred": "true", "processing.denoise": "3"})
    assert recipe.processing == Processing(denoise=3, only_blurred=True)
    assert recipe.resolved()["processing"] == {"denoise": 3.0, "only_blurred": True, "sharp_above": SHARP_ABOVE}
    with pytest.raises(RecipeError, match=r"processing\.denoize: unknown key; did you mean 'denoise'"):
        load_recipe("mobile_deblur.yaml", {"processing.denoize": "3"})
