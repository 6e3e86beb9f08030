"""Sets of pictures for networks that enlarge: pairs of two sizes, and small pictures made of sharp ones."""

from pathlib import Path

import numpy as np
import pytest

from exporter.data.bicubic import enlarge, shrink
from exporter.data.calibration import open_calibration
from exporter.data.enlarging import enlarged
from exporter.data.evaluation import open_evaluation
from exporter.data.images import read_image, read_pixels, write_png
from exporter.data.metrics import psnr_y_db, ssim_y
from exporter.data.training import mix, open_training
from exporter.data.training_small import enlarging
from exporter.data.yardstick import Yardstick
from exporter.errors import DataError
from tests.conftest import picture
from tests.data.drawn import drawn


def write_two_sizes(folder: Path, scale: int, count: int = 2) -> Path:
    """Small pictures that no protocol makes: every `scale`-th pixel."""
    for side in ("blurred", "sharp"):
        (folder / side).mkdir(parents=True)
    for seed in range(count):
        sharp = picture(seed, 20 * scale, 30 * scale)
        write_png(folder / "sharp" / f"p{seed}.png", sharp)
        write_png(folder / "blurred" / f"p{seed}.png", sharp[::scale, ::scale])
    return folder


def write_one_size(folder: Path, height: int = 48, width: int = 72, count: int = 2) -> Path:
    for side in ("blurred", "sharp"):
        (folder / side).mkdir(parents=True)
    for seed in range(count):
        sharp = picture(seed, height, width)
        write_png(folder / "sharp" / f"p{seed}.png", sharp)
        write_png(folder / "blurred" / f"p{seed}.png", (sharp + np.roll(sharp, 1, axis=1)) / 2)
    return folder


@pytest.mark.parametrize(("height", "width"), [(20, 30), (16, 16), (9, 13), (24, 40)])
def test_pairs_of_two_sizes_are_taken_as_they_are_pixel_on_pixel(tmp_path: Path, height: int, width: int) -> None:
    folder = write_two_sizes(tmp_path / "set", 3)
    pairs = open_evaluation(folder, height, width, scale=3)
    assert (pairs.scale, pairs.protocol) == (3, None)
    for pair in pairs:
        assert pair.blurred.shape == (height, width, 3)
        assert pair.sharp.shape == (3 * height, 3 * width, 3)
        if height <= 20 and width <= 30:
            assert np.array_equal(pair.sharp[::3, ::3], pair.blurred)


def test_of_pairs_of_one_size_the_small_picture_is_made_of_the_sharp_one(tmp_path: Path) -> None:
    folder = write_one_size(tmp_path / "set")
    pairs = open_evaluation(folder, 12, 18, scale=4)
    assert pairs.protocol == "bicubic"
    for pair in pairs:
        sharp = read_pixels(folder / "sharp" / f"{pair.name}.png")
        assert np.array_equal(np.rint(pair.blurred * 255), shrink(sharp, 4))
        assert np.array_equal(np.rint(pair.before * 255), enlarge(shrink(sharp, 4), 4))


def test_a_named_protocol_makes_small_pictures_also_where_there_are_some(tmp_path: Path) -> None:
    folder = write_two_sizes(tmp_path / "set", 2)
    given, made = (next(iter(open_evaluation(folder, 20, 30, scale=2, protocol=name))) for name in (None, "bicubic"))
    assert np.array_equal(given.sharp, made.sharp)
    assert not np.array_equal(given.blurred, made.blurred)


def test_a_folder_of_sharp_pictures_is_enough_for_a_network_that_enlarges(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", picture(0, 41, 61))
    (pair,) = open_evaluation(tmp_path, 20, 30, scale=2)
    sharp = read_image(tmp_path / "a.png")[:40, :60]
    assert np.array_equal(pair.sharp, sharp)
    with pytest.raises(DataError, match="holds no evaluation pairs"):
        open_evaluation(tmp_path, 20, 30)


def test_pairs_of_another_scale_are_named(tmp_path: Path) -> None:
    folder = write_two_sizes(tmp_path / "set", 3)
    with pytest.raises(DataError, match=r"p0\.png are a pair, but 30×20 and 90×60 px"):
        open_evaluation(folder, 20, 30, scale=2)
    with pytest.raises(DataError, match=r"p0\.png are a pair, but 30×20 and 90×60 px"):
        enlarging(open_training(folder), 2, None)


def test_a_tiny_picture_is_not_made_smaller(tmp_path: Path) -> None:
    folder = write_one_size(tmp_path / "set", 20, 40)
    with pytest.raises(DataError, match=r"p0\.png is 40×20 px: made 4 times smaller, less than 8 px would be left"):
        list(open_evaluation(folder, 16, 16, scale=4))


def test_the_digest_tells_scales_and_protocols_apart(tmp_path: Path) -> None:
    folder = write_one_size(tmp_path / "set")
    digests = [open_evaluation(folder, 16, 16, scale=scale).sha256 for scale in (1, 2, 3)]
    calibrations = [open_calibration_of(folder, scale).sha256 for scale in (1, 2, 3)]
    assert len({*digests, *calibrations}) == 6


def open_calibration_of(folder: Path, scale: int):
    for seed in range(8):
        write_png(folder / "many" / f"{seed}.png", picture(seed, 40, 40))
    return open_calibration(folder / "many", 16, 16, scale, "bicubic" if scale > 1 else None)


def test_calibration_pictures_are_made_small_too(tmp_path: Path) -> None:
    small = next(iter(open_calibration_of(tmp_path, 2)))
    sharp = read_pixels(tmp_path / "many" / "0.png")
    assert np.array_equal(np.rint(small * 255), shrink(sharp, 2)[2:18, 2:18])


@pytest.mark.parametrize("kind", ["photographs", "one size", "two sizes", "mixed"])
def test_training_crops_lie_pixel_on_pixel(tmp_path: Path, photo_folder: Path, kind: str) -> None:
    sources = {
        "photographs": lambda: open_training(photo_folder),
        "one size": lambda: open_training(write_one_size(tmp_path / "one", 64, 96)),
        "two sizes": lambda: open_training(write_two_sizes(tmp_path / "two", 2)),
    }
    wanted = [kind] if kind in sources else ["photographs", "one size"]
    pairs = enlarging(mix([sources[name]() for name in wanted]), 2, None)
    small, sharp = pairs.batch(seed=1, step=2, batch=6, size=16)
    assert small.shape == (6, 3, 16, 16)
    assert sharp.shape == (6, 3, 32, 32)
    if kind == "two sizes":  # every second pixel, whichever way the crop was turned
        assert all(
            any(np.array_equal(large[:, top::2, left::2], one) for top in (0, 1) for left in (0, 1))
            for one, large in zip(small, sharp, strict=True)
        )
    else:  # the mean of four pixels is nearly what the protocol gives
        means = sharp.reshape(6, 3, 16, 2, 16, 2).mean(axis=(3, 5))
        shifted = np.roll(means, 1, axis=3)
        assert np.abs(small - means).mean() < 0.6 * np.abs(small - shifted).mean()
    again = pairs.batch(seed=1, step=2, batch=6, size=16)
    assert np.array_equal(small, again[0])


def test_a_pool_holds_pairs_of_two_sizes(photo_folder: Path, tmp_path: Path) -> None:
    pool = drawn(tmp_path, photo_folder, 3, 24, scale=2, protocol="bicubic")
    assert pool.blurred.shape == (3, 24, 24, 3)
    assert pool.sharp.shape == (3, 48, 48, 3)
    small, sharp = pool.batch(0, 0, 4, 16)
    assert (small.shape, sharp.shape) == ((4, 3, 16, 16), (4, 3, 32, 32))
    means = sharp.reshape(4, 3, 16, 2, 16, 2).mean(axis=(3, 5))
    assert np.abs(small - means).mean() < 0.6 * np.abs(small - np.roll(means, 1, axis=2)).mean()


def test_soft_crops_are_drawn_again(tmp_path: Path) -> None:
    half = picture(0, 200, 200)
    half[:, :100] = 0.5
    write_png(tmp_path / "half.png", half)
    plain = open_training(tmp_path)
    chosen = enlarging(open_training(tmp_path, min_sharpness=50), 2, None)
    anything = enlarging(plain, 2, None)
    flat = [float(pairs.batch(0, 0, 24, 16)[1].std(axis=(1, 2, 3)).min()) for pairs in (chosen, anything)]
    assert flat[0] > 0.01 > flat[1]


def test_a_photo_smaller_than_the_enlarged_crop_is_named(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", picture(0, 100, 130))
    with pytest.raises(DataError, match=r"a\.png is 130×100 px, a training crop of 64 px is 128 px of it"):
        enlarging(open_training(tmp_path), 2, None).require_size(64)


def test_psnr_is_of_luma_without_borders() -> None:
    truth, image = picture(0, 40, 50), picture(1, 40, 50)
    bytes_ = [np.floor(np.clip(one, 0, 1) * 255 + 0.5).astype(np.float64) for one in (truth, image)]
    luma = [16 + (65.481 * b[..., 0] + 128.553 * b[..., 1] + 24.966 * b[..., 2]) / 255 for b in bytes_]
    inner = np.s_[4:-4, 4:-4]
    wanted = 10 * np.log10(255**2 / np.mean((luma[0][inner] - luma[1][inner]) ** 2))
    assert psnr_y_db(image, truth, 4) == pytest.approx(wanted, abs=1e-9)
    spoiled = image.copy()
    spoiled[:4], spoiled[-4:], spoiled[:, :4], spoiled[:, -4:] = 1, 0, 1, 0
    assert psnr_y_db(spoiled, truth, 4) == psnr_y_db(image, truth, 4)
    assert ssim_y(spoiled, truth, 4) == ssim_y(image, truth, 4)
    assert ssim_y(truth, truth, 4) == pytest.approx(1)
    assert psnr_y_db(truth, truth, 4) == 100
    assert np.isnan(psnr_y_db(np.full_like(truth, np.nan), truth, 4))


def test_a_yardstick_says_what_it_measures() -> None:
    truth, image = picture(0, 40, 50), picture(1, 40, 50)
    restoring, enlarging_ = Yardstick(1), Yardstick(2)
    assert restoring.psnr_db(image, truth) != enlarging_.psnr_db(image, truth) == psnr_y_db(image, truth, 2)
    assert "RGB, whole image" in restoring.protocols["psnr_db"]
    assert "BT.601" in enlarging_.protocols["psnr_db"]
    assert (restoring.baseline, enlarging_.baseline) == ("the input", "bicubic enlargement")


def test_the_baseline_is_bicubic_enlargement() -> None:
    small = picture(0, 12, 16)
    pixels = np.floor(small * 255 + 0.5).astype(np.uint8)
    assert np.array_equal(np.rint(enlarged(small, 3) * 255), enlarge(pixels, 3))
