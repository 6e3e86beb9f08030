"""Frames of one film are taken as they lie; photographs that are only numbered are not taken for a film."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from exporter.data.calibration import open_calibration
from exporter.data.dead_leaves import dead_leaves
from exporter.data.evaluation import open_evaluation
from exporter.data.film import around
from exporter.data.images import write_png
from exporter.data.view import View

SIDE, FRAMES = 64, 4


def film(seed: int) -> Iterator[np.ndarray]:
    """A camera that moves a pixel a frame to the right."""
    scene = dead_leaves(SIDE, SIDE + FRAMES, seed)
    yield from (np.ascontiguousarray(scene[:, t : t + SIDE]) for t in range(FRAMES))


@pytest.fixture
def gopro(tmp_path: Path) -> Path:
    for seed in range(2):
        for number, picture in enumerate(film(seed), 47):
            for kind in ("blur", "sharp"):
                path = tmp_path / "test" / f"GOPR0384_11_0{seed}" / kind / f"{number:06}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                write_png(path, picture if kind == "sharp" else (picture + np.roll(picture, 1, 1)) / 2)
    return tmp_path


def frames(picture: np.ndarray) -> list[np.ndarray]:
    return np.split(picture, picture.shape[2] // 3, axis=2)


def test_neighbours_of_a_public_set_go_in_together(gopro: Path) -> None:
    opened = open_evaluation(gopro, SIDE, SIDE)
    seen = opened.seen_through(View(frames=3))
    assert seen.view.film and "neighbours in the set's own films" in seen.view.in_words()["frames"]
    plain, pairs = [pair.blurred for pair in opened], list(seen)
    assert len(pairs) == 2 * FRAMES and seen.sha256 != opened.sha256
    before, now, after = frames(pairs[1].blurred)
    assert all(np.array_equal(one, plain[i]) for i, one in enumerate((before, now, after)))
    first, last = frames(pairs[0].blurred), frames(pairs[FRAMES].blurred)
    assert np.array_equal(first[0], plain[0]) and np.array_equal(last[0], plain[FRAMES])  # not of the other film
    assert all(np.array_equal(pair.plain, blurred) for pair, blurred in zip(pairs, plain, strict=True))


def test_a_clip_ends_with_the_frame_that_is_judged(gopro: Path) -> None:
    opened = open_evaluation(gopro, SIDE, SIDE)
    seen = opened.seen_through(View(clip=3))
    plain, pairs = [pair.blurred for pair in opened], list(seen)
    for place, expected in ((0, (0, 0, 0)), (1, (0, 0, 1)), (3, (1, 2, 3))):
        assert all(np.array_equal(a, plain[i]) for a, i in zip(frames(pairs[place].blurred), expected, strict=True))
    assert np.array_equal(pairs[3].sharp, list(opened)[3].sharp)
    assert "clips of 3 neighbouring frames" in seen.view.in_words()["frames"]


def test_numbered_photographs_are_no_film(tmp_path: Path) -> None:
    for number in range(9):
        write_png(tmp_path / f"{number:04}.png", dead_leaves(SIDE, SIDE, number))
    seen = open_calibration(tmp_path, SIDE, SIDE).seen_through(View(frames=3))
    assert not seen.view.film and "one photograph, moved" in seen.view.in_words()["frames"]
    middle = frames(next(iter(seen)))[1]
    assert np.array_equal(middle, next(iter(open_calibration(tmp_path, SIDE, SIDE))))


def test_a_part_of_a_calibration_set_keeps_its_neighbours(tmp_path: Path) -> None:
    for seed in range(3):
        for number, picture in enumerate(film(seed)):
            path = tmp_path / f"{seed:03}" / f"frame_{number}.png"
            path.parent.mkdir(exist_ok=True)
            write_png(path, picture)
    opened = open_calibration(tmp_path, SIDE, SIDE)
    seen, plain = opened.seen_through(View(frames=3)), list(opened)
    assert seen.view.film
    (only,) = seen.only([5])
    assert all(np.array_equal(one, plain[i]) for one, i in zip(frames(only), (4, 5, 6), strict=True))


@pytest.mark.parametrize(
    "files",
    [
        ["a/1.png", "a/2.png", "b/x.png"],  # one has no number
        ["a/1.png", "a/2.png", "b/7.png"],  # one is alone
        ["a/1.png", "a/2.png", "a/9.png"],  # between two there is something missing
    ],
)
def test_names_that_are_no_films(files: list[str]) -> None:
    assert around(files, 3, 1) == []
