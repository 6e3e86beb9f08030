"""Copies of a picture are found, whatever was done to them; different pictures are not taken for copies."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from exporter.data.fingerprints import NEAR_SHARE, fingerprints, nearest
from tests.conftest import REPO

PHOTOS = sorted((REPO / "calibration" / "photos_256").glob("*.jpg"))[::9]
COPIES = {
    "halved": lambda photo: photo.resize((128, 128)),
    "brighter": lambda photo: ImageEnhance.Brightness(photo).enhance(1.3),
    "darker": lambda photo: ImageEnhance.Brightness(photo).enhance(0.5),
    "paler": lambda photo: ImageEnhance.Contrast(photo).enhance(0.5),
    "grey": lambda photo: photo.convert("L"),
    "mirrored": lambda photo: photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "turned": lambda photo: photo.rotate(90),
    "blurred": lambda photo: photo.filter(ImageFilter.GaussianBlur(2)),
    "cut at the edges": lambda photo: photo.crop((6, 6, 250, 250)),
    "cut in a corner": lambda photo: photo.crop((0, 0, 230, 230)),
    "cut and mirrored": lambda photo: photo.crop((0, 0, 230, 230)).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


@pytest.fixture(scope="module")
def known():
    return fingerprints(PHOTOS)


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_is_found(known, tmp_path: Path, how: str) -> None:
    files = [tmp_path / f"{number}.jpg" for number in range(len(PHOTOS))]
    for photo, file in zip(PHOTOS, files, strict=True):
        COPIES[how](Image.open(photo)).save(file, quality=70)
    near = nearest(fingerprints(files), known) <= NEAR_SHARE
    assert np.diag(near).mean() > 0.9, "eleven of twelve; one without edges may be missed"
    assert near.sum() == np.diag(near).sum(), "and nothing else is taken for it"


def test_different_pictures_are_far_apart(known) -> None:
    apart = nearest(known, known)
    assert np.array_equal(np.diag(apart), np.zeros(len(known)))
    np.fill_diagonal(apart, 1)
    assert apart.min() > NEAR_SHARE + 0.05


def test_no_picture_is_near_nothing() -> None:
    assert nearest([], []).shape == (0, 0)
