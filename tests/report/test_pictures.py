from __future__ import annotations

import base64
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from exporter.judge.outcome import Outcome
from exporter.measure.results import Picture
from exporter.report.drawings import Drawings
from exporter.report.pictures import CROP_PX, ERROR_GAIN, error_crops, photos
from exporter.report.stages import names
from tests.report.demo_outcome import demo_outcome


def pixels(uri: str) -> np.ndarray:
    image = Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/webp;base64,"))))
    return np.asarray(image.convert("RGB"))


def with_pictures(outcome: Outcome, folder: Path, **images: np.ndarray) -> Outcome:
    files = {}
    for stage, image in images.items():
        files[stage.replace("__", " ")] = folder / f"{stage}.png"
        Image.fromarray(image).save(folder / f"{stage}.png")
    return replace(outcome, pictures=(Picture("one", files),))


def test_photos_in_the_page_are_the_very_pixels(tmp_path: Path) -> None:
    outcome = demo_outcome(tmp_path)
    photo = photos(outcome, names(outcome.stages), Drawings())[0]
    for shot in photo.shots:
        file = outcome.pictures[0].files[shot.stage]
        assert np.array_equal(pixels(shot.uri), np.asarray(Image.open(file).convert("RGB"))), shot.stage
    assert [shot.psnr_db is None for shot in photo.shots if shot.stage == "sharp"] == [True]


def test_the_crop_is_where_int8_departs_most_and_ten_times_as_strong(tmp_path: Path) -> None:
    exact = np.full((200, 160, 3), 100, np.uint8)
    rounded = exact.copy()
    rounded[96:160, 40:104, 0] = 103
    outcome = with_pictures(demo_outcome(tmp_path), tmp_path, onnx_to_tflite__fp32=exact, quantize_tflite=rounded)
    (crop,) = error_crops(outcome, names(outcome.stages), Drawings())
    assert (crop.y, crop.x) == (96, 40)
    assert crop.max_error == 3
    shown = pixels(crop.error_uri)
    assert shown.shape == (CROP_PX, CROP_PX, 3)
    assert np.unique(shown[..., 0]).tolist() == [128 + 3 * ERROR_GAIN]
    assert np.unique(shown[..., 1:]).tolist() == [128]


def test_large_pictures_are_cropped_not_scaled(tmp_path: Path) -> None:
    large = np.random.default_rng(0).integers(0, 256, (600, 700, 3), dtype=np.uint8)
    outcome = with_pictures(demo_outcome(tmp_path), tmp_path, blurred=large, sharp=large)
    (photo,) = photos(outcome, {}, Drawings())
    assert photo.cropped
    assert np.array_equal(pixels(photo.shots[0].uri), large[44:556, 94:606])
