from pathlib import Path

import numpy as np
import pytest

from exporter.data.evaluation import open_evaluation
from exporter.data.images import frame, read_image, write_png
from exporter.errors import DataError
from tests.conftest import picture


def soften(image: np.ndarray) -> np.ndarray:
    return (image + np.roll(image, 1, axis=1) + np.roll(image, 2, axis=1)) / 3


def write_pairs(folder: Path, count: int) -> Path:
    for side in ("blurred", "sharp"):
        (folder / side).mkdir(parents=True)
    for seed in range(count):
        sharp = picture(seed, 30, 50)
        write_png(folder / "sharp" / f"p{seed}.png", sharp)
        write_png(folder / "blurred" / f"p{seed}.png", soften(sharp))
    return folder


def test_pictures_of_the_same_name_are_a_pair(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "set", 3)
    pairs = list(open_evaluation(folder, 30, 50))
    assert [pair.name for pair in pairs] == ["p0", "p1", "p2"]
    for pair in pairs:
        assert np.array_equal(pair.sharp, read_image(folder / "sharp" / f"{pair.name}.png"))
        assert np.array_equal(pair.blurred, read_image(folder / "blurred" / f"{pair.name}.png"))


@pytest.mark.parametrize(("height", "width"), [(20, 20), (72, 128), (20, 128)])
def test_both_pictures_are_framed_alike(tmp_path: Path, height: int, width: int) -> None:
    folder = write_pairs(tmp_path / "set", 1)
    (pair,) = open_evaluation(folder, height, width)
    assert np.array_equal(pair.sharp, frame(read_image(folder / "sharp" / "p0.png"), height, width))
    assert np.array_equal(pair.blurred, frame(read_image(folder / "blurred" / "p0.png"), height, width))


def test_a_picture_without_counterpart_is_named(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "set", 3)
    (folder / "sharp" / "p1.png").unlink()
    with pytest.raises(DataError, match=r"blurred/p1\.png has no counterpart"):
        open_evaluation(folder, 30, 50)


def test_pictures_of_different_size_are_no_pair(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "set", 1)
    write_png(folder / "sharp" / "p0.png", picture(0, 30, 48))
    with pytest.raises(DataError, match="pair p0 are 50×30 and 48×30 px"):
        list(open_evaluation(folder, 30, 50))


def test_a_changed_picture_is_named(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "set", 2)
    pairs = open_evaluation(folder, 30, 50)
    write_png(folder / "sharp" / "p1.png", picture(77, 30, 50))
    with pytest.raises(DataError, match=r"sharp/p1\.png has sha256"):
        list(pairs)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no evaluation pairs"):
        open_evaluation(tmp_path, 30, 50)


def test_the_digest_follows_both_pictures_and_the_size(tmp_path: Path) -> None:
    one = open_evaluation(write_pairs(tmp_path / "one", 2), 30, 50)
    two = write_pairs(tmp_path / "two", 2)
    assert open_evaluation(two, 30, 50).sha256 == one.sha256
    assert open_evaluation(two, 30, 48).sha256 != one.sha256
    write_png(two / "blurred" / "p0.png", picture(5, 30, 50))
    assert open_evaluation(two, 30, 50).sha256 != one.sha256
