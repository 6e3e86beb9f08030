from pathlib import Path

import numpy as np
import pytest

from exporter.data.blur import BlurOptions
from exporter.data.images import read_image, write_png
from exporter.data.training import PairedSet, mix, open_training
from exporter.errors import DataError
from tests.conftest import picture


def test_a_batch_depends_on_seed_and_step_alone(photo_folder: Path) -> None:
    photos = open_training(photo_folder)
    blurred, sharp = photos.batch(seed=3, step=5, batch=2, size=64)
    photos.batch(seed=3, step=6, batch=2, size=64)
    again = open_training(photo_folder).batch(seed=3, step=5, batch=2, size=64)
    assert blurred.shape == sharp.shape == (2, 3, 64, 64)
    assert np.array_equal(blurred, again[0])
    assert np.array_equal(sharp, again[1])
    assert not np.array_equal(sharp, photos.batch(seed=3, step=6, batch=2, size=64)[1])
    assert not np.array_equal(sharp, photos.batch(seed=4, step=5, batch=2, size=64)[1])


def test_a_larger_batch_begins_like_a_smaller_one(photo_folder: Path) -> None:
    photos = open_training(photo_folder)
    assert np.array_equal(photos.batch(0, 0, 1, 64)[1][0], photos.batch(0, 0, 3, 64)[1][0])


def test_a_photo_smaller_than_the_crop_is_named(tmp_path: Path) -> None:
    write_png(tmp_path / "small.png", picture(0, 40, 60))
    with pytest.raises(DataError, match=r"small\.png is 60×40 px, a training crop is 64 px"):
        open_training(tmp_path).batch(0, 0, 1, 64)


def test_a_folder_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no training photographs"):
        open_training(tmp_path)


def test_a_broken_photo_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"broken\.png is not a readable image"):
        open_training(tmp_path).batch(0, 0, 1, 64)


def test_the_digest_follows_the_photos(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", picture(0, 80, 80))
    before = open_training(tmp_path).sha256
    assert open_training(tmp_path).sha256 == before
    write_png(tmp_path / "a.png", picture(1, 80, 80))
    assert open_training(tmp_path).sha256 != before


def test_processes_share_the_batch_of_one(photo_folder: Path) -> None:
    photos = open_training(photo_folder)
    whole = photos.batch(0, 0, 4, 64)
    shares = [photos.batch(0, 0, 4, 64, slice(rank, None, 2)) for rank in (0, 1)]
    for side in (0, 1):
        assert np.array_equal(shares[0][side], whole[side][0::2])
        assert np.array_equal(shares[1][side], whole[side][1::2])


def test_unsharp_crops_are_drawn_again(tmp_path: Path) -> None:
    half = picture(0, 160, 320)
    half[:, :160] = 0.5  # an empty wall
    write_png(tmp_path / "wall.png", half)
    means = []
    for threshold in (0.0, 100.0):
        photos = open_training(tmp_path, min_sharpness=threshold)
        _, sharp = photos.batch(0, 0, 12, 32)
        assert sharp.shape == (12, 3, 32, 32)
        means.append(np.mean([crop.std() > 0.01 for crop in sharp]))
    assert means[0] < 1
    assert means[1] == 1
    assert open_training(tmp_path, min_sharpness=100).identity != open_training(tmp_path).identity


def test_a_picture_without_any_sharp_crop_still_gives_one(tmp_path: Path) -> None:
    write_png(tmp_path / "wall.png", np.full((80, 80, 3), 0.5, np.float32))
    assert open_training(tmp_path, min_sharpness=100).batch(0, 0, 1, 32)[1].shape == (1, 3, 32, 32)


def test_blur_options_reach_the_pairs(photo_folder: Path) -> None:
    quiet = {"highlight_probability": 0, "max_noise_gain": 0, "max_read_noise": 0, "jpeg_probability": 0}
    still = BlurOptions(0, 0.01, **quiet)
    blurred, sharp = open_training(photo_folder, still).batch(0, 0, 2, 64)
    assert np.abs(blurred - sharp).max() < 0.02
    blurred, sharp = open_training(photo_folder).batch(0, 0, 2, 64)
    assert np.abs(blurred - sharp).max() > 0.1


def test_a_folder_of_pairs_is_learned_from_as_pairs(pair_folder: Path) -> None:
    pairs = open_training(pair_folder)
    assert isinstance(pairs, PairedSet)
    assert len(pairs) == 3
    blurred, sharp = pairs.batch(0, 0, 4, 64)
    whole = [read_image(pair_folder / "sharp" / f"{seed}.png") for seed in (100, 101, 102)]
    for crop in sharp:  # 64 px of 64 px: turned and mirrored, but whole
        assert any(np.allclose(np.sort(crop.ravel()), np.sort(photo.ravel())) for photo in whole)
    assert 0 < np.abs(blurred - sharp).mean() < 0.2


def test_a_mixture_draws_from_all_its_sources(photo_folder: Path, pair_folder: Path) -> None:
    photos, pairs = open_training(photo_folder), open_training(pair_folder)
    both = mix([photos, pairs])
    assert mix([photos]) is photos
    assert len(both) == 7
    assert set(both.files) == set(photos.files) | set(pairs.files)
    crops = both.batch(0, 0, 12, 64)[1]
    from_pairs = [
        any(np.allclose(np.sort(crop.ravel()), np.sort(read_image(file).ravel())) for file in pairs.files)
        for crop in crops
    ]
    assert 0 < sum(from_pairs) < 12
    assert both.sha256 not in (photos.sha256, pairs.sha256)
    assert both.identity != mix([pairs, photos]).identity
