"""Sets that cost INT8 decibels are refused or warned of, by what they lack; sets that cost nothing pass silently."""

import re
from pathlib import Path

import numpy as np
import pytest

from exporter.data.calibration import open_calibration
from exporter.data.evaluation import open_evaluation
from exporter.data.images import frame, read_image, write_png
from exporter.data.suitability import judge_calibration, judge_pairs
from exporter.errors import DataError
from tests.conftest import REPO, picture

SIDE, COUNT = 96, 16
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@pytest.fixture(scope="module")
def photos() -> list[np.ndarray]:
    files = sorted((REPO / "calibration" / "photos_256").glob("*.jpg"))
    every = len(files) // COUNT
    return [frame(read_image(file), SIDE, SIDE) for file in files[: every * COUNT : every]]


@pytest.fixture(scope="module")
def pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    folder = REPO / "calibration" / "evaluation_256"
    names = sorted(path.name for path in (folder / "sharp").iterdir())[:12]
    sides = ("blurred", "sharp")
    return [tuple(frame(read_image(folder / side / name), SIDE, SIDE) for side in sides) for name in names]


def judged(folder: Path, pictures, pairs, change=lambda image: image):
    folder.mkdir()
    for number, image in enumerate(pictures):
        write_png(folder / f"{number:02}.png", np.asarray(image, np.float32).clip(0, 1))
    evaluation = evaluation_of(folder / "pairs", [(change(one), change(other)) for one, other in pairs])
    calibration = open_calibration(folder, SIDE, SIDE)
    calibration = calibration.only(range(len(pictures)))
    return judge_calibration(calibration, evaluation)


def evaluation_of(folder: Path, pairs):
    for side in ("blurred", "sharp"):
        (folder / side).mkdir(parents=True)
    for number, pair in enumerate(pairs):
        for side, image in zip(("blurred", "sharp"), pair, strict=True):
            write_png(folder / side / f"p{number}.png", np.asarray(image, np.float32).clip(0, 1))
    return open_evaluation(folder, SIDE, SIDE)


def grey(image):
    return np.repeat((image @ LUMA)[..., None], 3, axis=2)


def noise(low, high):
    rng = np.random.default_rng(0)
    return [rng.uniform(low, high, (SIDE, SIDE, 3)) for _ in range(COUNT)]


def flat(level):
    return np.full((SIDE, SIDE, 3), level, np.float32)


FINE = {
    "as they are": (lambda image: image, None),
    "grey": (grey, None),
    "tinted": (lambda image: image * np.array([1, 0.8, 0.5], np.float32), None),
    "night, with lights": (lambda image: image**4, None),
    "grey for a grey use": (grey, grey),
    "dark for a dark use": (lambda image: image * 0.25, lambda image: image * 0.25),
    "pale for a pale use": (lambda image: image * 0.25 + 0.4, lambda image: image * 0.25 + 0.4),
}


@pytest.mark.parametrize("name", FINE)
def test_what_loses_nothing_passes_silently(tmp_path, photos, pairs, name):
    change, use = FINE[name]
    assert judged(tmp_path / "set", map_all(change, photos), pairs, use or (lambda image: image)) == ()


def map_all(change, photos):
    return [change(photo) for photo in photos]


REFUSED = {
    "black": (lambda photos: [flat(0)] * COUNT, "1 different pictures in 16 files"),
    "one picture": (lambda photos: [photos[3]] * COUNT, "1 different pictures in 16 files"),
    "one picture brighter and brighter": (
        lambda photos: [photos[3] * (0.4 + 0.03 * number) for number in range(COUNT)],
        "1 different pictures",
    ),
    "seven pictures and their mirror images": (
        lambda photos: [*photos[:7], *(photo[:, ::-1] for photo in photos[:7])],
        "7 different pictures in 14 files",
    ),
    "darkened": (lambda photos: [photo * 0.1 for photo in photos], "brightness: it has values from 0.00 to 0.1"),
    "pale": (lambda photos: [photo * 0.1 + 0.45 for photo in photos], "brightness: it has values from 0.4"),
    "lifted": (lambda photos: [photo * 0.1 + 0.9 for photo in photos], "brightness"),
    "faint noise": (lambda photos: noise(0.48, 0.52), "brightness.*structure"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_ruin_the_picture_is_refused_with_the_reason(tmp_path, photos, pairs, name):
    made, reason = REFUSED[name]
    with pytest.raises(DataError, match=f"(?s){reason}"):
        judged(tmp_path / "set", made(photos), pairs)


def test_out_of_focus_is_refused(tmp_path, photos, pairs):
    from scipy.ndimage import gaussian_filter

    with pytest.raises(DataError, match="lacks contrast: its most detailed picture has"):
        judged(tmp_path / "set", [gaussian_filter(photo, (12, 12, 0)) for photo in photos], pairs)


WARNED = {
    "a bit dark": (
        lambda photos: [photo * 0.75 for photo in photos],
        "lacks brightness: it has values from 0.00 to 0.7",
    ),
    "red": (lambda photos: [photo * [1, 0, 0] for photo in photos], "no range in green and blue"),
    "noise": (lambda photos: noise(0, 1), "it is noise"),
    "a copy": (lambda photos: [*photos, np.rot90(photos[2])], "16 different pictures in 17 files.*02.png and 16.png"),
}


@pytest.mark.parametrize("name", WARNED)
def test_what_may_cost_something_is_warned_of(tmp_path, photos, pairs, name):
    made, sentence = WARNED[name]
    (warning,) = judged(tmp_path / "set", made(photos), pairs)
    assert re.search(sentence, warning)


def test_pairs_that_prove_nothing_are_named(tmp_path, pairs):
    sharp = pairs[0][1]
    odd = [*pairs[:3], (sharp, sharp), (flat(0.5), flat(0.5))]
    told = judge_pairs(evaluation_of(tmp_path / "set", odd))
    assert told == (
        "set: p3: twice the same picture, which proves nothing",
        "set: p4: flat, which proves nothing",
    )
    assert judge_pairs(evaluation_of(tmp_path / "fine", pairs)) == ()


@pytest.mark.parametrize("kind", ["same", "flat"])
def test_nothing_to_restore_is_refused(tmp_path, pairs, kind):
    made = [(sharp, sharp) if kind == "same" else (flat(0.2), flat(0.2)) for _, sharp in pairs]
    with pytest.raises(DataError, match="nothing to restore"):
        judge_pairs(evaluation_of(tmp_path / "set", made))


def test_two_scenes_are_no_pair(tmp_path, pairs):
    mixed = [*pairs[:2], (pairs[2][0], picture(5, SIDE, SIDE))]
    with pytest.raises(DataError, match=r"pair p2 do not show the same \(correlation"):
        judge_pairs(evaluation_of(tmp_path / "set", mixed))
