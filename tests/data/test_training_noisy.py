"""What denoisers learn from: clean crops, and the same with noise of a sigma and a kind that are drawn."""

from pathlib import Path

import numpy as np
import pytest

from exporter.data.images import write_png
from exporter.data.training import mix, open_training
from exporter.data.training_noisy import NoiseOptions, NoisySet, clean_photograph, noisy, with_noise
from exporter.errors import DataError
from tests.conftest import picture

FLAT = np.full((256, 256, 3), 0.5, np.float32)


def test_a_batch_depends_on_seed_and_step_alone(photo_folder: Path) -> None:
    photos = noisy(open_training(photo_folder), NoiseOptions())
    shown, clean = photos.batch(3, 5, 2, 32)
    assert shown.shape == clean.shape == (2, 3, 32, 32)
    again = noisy(open_training(photo_folder), NoiseOptions()).batch(3, 5, 2, 32)
    assert np.array_equal(shown, again[0])
    assert np.array_equal(clean, again[1])
    assert not np.array_equal(shown, photos.batch(3, 6, 2, 32)[0])


def test_both_sides_are_what_a_file_of_8_bits_holds(photo_folder: Path) -> None:
    for side in noisy(open_training(photo_folder), NoiseOptions()).batch(0, 0, 2, 32):
        assert np.allclose(side * 255, np.rint(side * 255), atol=1e-4)


def test_grey_is_one_channel_of_luma(photo_folder: Path) -> None:
    shown, clean = noisy(open_training(photo_folder), NoiseOptions(), "grey").batch(0, 0, 2, 32)
    assert shown.shape == clean.shape == (2, 1, 32, 32)


@pytest.mark.parametrize("sensor_probability", [0.0, 1.0])
def test_sigma_at_mid_grey_is_what_was_drawn(sensor_probability: float) -> None:
    options = NoiseOptions(10, 10, sensor_probability)
    error = with_noise(FLAT, np.random.default_rng(0), options) - FLAT
    assert error.std() * 255 == pytest.approx(10, rel=0.05)
    assert abs(error.mean()) * 255 < 0.7  # the curve of sRGB bends what is even in light


def test_a_sensors_noise_grows_with_the_light_and_white_noise_does_not() -> None:
    def spread(level: float, sensor_probability: float) -> float:
        from exporter.data.blur import to_linear

        flat = np.full((128, 128, 3), level, np.float32)
        shown = with_noise(flat, np.random.default_rng(1), NoiseOptions(5, 5, sensor_probability))
        return float((to_linear(shown) if sensor_probability else shown).std())

    assert spread(0.75, 1.0) > 1.4 * spread(0.4, 1.0)
    assert spread(0.75, 0.0) == pytest.approx(spread(0.4, 0.0), rel=0.05)


def test_sigmas_are_drawn_over_the_whole_range() -> None:
    rng, options = np.random.default_rng(2), NoiseOptions(5, 40)
    spreads = [(with_noise(FLAT[:64, :64], rng, options) - FLAT[:64, :64]).std() * 255 for _ in range(60)]
    assert 4 < min(spreads) < 10
    assert 35 < max(spreads) < 42


def test_a_large_photograph_is_halved_by_averaging(tmp_path: Path) -> None:
    file = tmp_path / "large.png"
    write_png(file, np.kron(picture(0, 520, 600), np.ones((2, 2, 1), np.float32)))
    assert clean_photograph(file).shape == (520, 600, 3)
    write_png(tmp_path / "same.png", picture(0, 520, 600))
    assert np.array_equal(clean_photograph(file), clean_photograph(tmp_path / "same.png"))


def test_of_pairs_the_sharp_pictures_are_taken(pair_folder: Path, photo_folder: Path) -> None:
    both = noisy(mix([open_training(pair_folder), open_training(photo_folder)]), NoiseOptions())
    assert {file.parent.name for file in both.files} == {"sharp", photo_folder.name}


def test_other_noise_is_another_set(photo_folder: Path) -> None:
    source = open_training(photo_folder)
    sets = [noisy(source, NoiseOptions()), noisy(source, NoiseOptions(0, 30)), noisy(source, NoiseOptions(), "grey")]
    assert len({one.sha256 for one in sets}) == 3
    assert len({one.identity for one in sets}) == 3


def test_a_photograph_smaller_than_the_crop_is_named(tmp_path: Path) -> None:
    write_png(tmp_path / "small.png", picture(0, 40, 60))
    small = noisy(open_training(tmp_path), NoiseOptions())
    assert isinstance(small, NoisySet)
    for ask in (lambda: small.require_size(64), lambda: small.batch(0, 0, 1, 64)):
        with pytest.raises(DataError, match=r"small\.png is 60×40 px, a training crop is 64 px"):
            ask()
