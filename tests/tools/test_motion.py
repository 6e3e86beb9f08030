"""tools/motion_pairs.py and tools/training_motion.py on a clip whose true exposure is known."""

import importlib
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import yaml

from exporter.data.blur import to_linear, to_srgb
from exporter.data.images import to_uint8
from exporter.data.metrics import psnr_db
from exporter.data.training import open_training
from tests.conftest import REPO, picture

SIDE, SPEED_PX = 96, 6


@pytest.fixture
def tools(monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType]:
    monkeypatch.syspath_prepend(str(REPO / "tools"))
    return importlib.import_module("motion_pairs"), importlib.import_module("training_motion")


def scene(position: float) -> np.ndarray:
    """A textured thing at `position` px before a plain wall, (SIDE, 2·SIDE, 3) uint8."""
    wall = np.full((SIDE, 2 * SIDE, 3), 0.6, np.float32)
    thing = cv2.GaussianBlur(picture(3, 48, 48), (0, 0), 1.5)
    shifted = cv2.warpAffine(thing, np.float32([[1, 0, position], [0, 1, 24]]), (2 * SIDE, SIDE))
    covers = cv2.warpAffine(np.ones((48, 48), np.float32), np.float32([[1, 0, position], [0, 1, 24]]), (2 * SIDE, SIDE))
    return to_uint8(shifted + (1 - covers[..., None]) * wall)


def film(path: Path, frames: int) -> None:
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 30, (2 * SIDE, SIDE))
    for i in range(frames):
        video.write(scene(10 + SPEED_PX * i % 80)[..., ::-1])
    video.release()


def exposure(positions: np.ndarray) -> np.ndarray:
    """The mean, in linear light, of the scene with the thing at each position."""
    linear = [to_linear(scene(position).astype(np.float32) / 255) for position in positions]
    return to_srgb(np.mean(linear, axis=0))


def test_an_exposure_smears_where_the_mean_of_the_frames_shows_copies(tools: tuple[ModuleType, ModuleType]) -> None:
    starts = 20.0 + SPEED_PX * np.arange(5)
    blurred, sharp = tools[0].motion_pair([scene(start) for start in starts])
    truth = exposure(np.linspace(starts[0], starts[-1], 97))
    assert psnr_db(blurred, truth) > psnr_db(exposure(starts), truth) + 3
    assert np.array_equal(to_uint8(sharp), scene(starts[2]))


def test_frames_come_in_order_and_a_file_that_is_no_video_is_named(
    tools: tuple[ModuleType, ModuleType], tmp_path: Path
) -> None:
    film(tmp_path / "walk.avi", 6)
    frames = list(tools[0].frames_of(tmp_path / "walk.avi"))
    assert len(frames) == 6
    assert all(
        psnr_db(frame / np.float32(255), scene(10 + 6 * i) / np.float32(255)) > 25 for i, frame in enumerate(frames)
    )
    assert next(tools[0].frames_of(tmp_path / "walk.avi", 0.5)).shape == (SIDE // 2, SIDE, 3)
    with pytest.raises(ValueError, match=r"none\.mp4"):
        next(tools[0].frames_of(tmp_path / "none.mp4"))


def test_training_pairs_are_drawn_where_things_move_and_are_the_same_again(
    tools: tuple[ModuleType, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool, clips = tools[1], tmp_path / "clips"
    for name, value in {"SCALE": 1, "SIZE": 64, "EXPOSURES": 3, "APART_PX": 40, "WINDOWS": (5, 7)}.items():
        monkeypatch.setattr(tool, name, value)
    clips.mkdir()
    film(tmp_path / "walk.avi", 12)
    for name in ("pose2simS__walk.mp4", "sports2d__walk.mp4"):
        (clips / name).write_bytes((tmp_path / "walk.avi").read_bytes())
    tool.main(clips, tmp_path / "first")
    tool.main(clips, tmp_path / "second")
    manifests = [
        yaml.safe_load((tmp_path / name / "manifest.yaml").read_text())["pairs"] for name in ("first", "second")
    ]
    assert manifests[0] == manifests[1]
    assert 3 <= len(manifests[0]) <= 6
    assert {entry["source"] for entry in manifests[0]} == {"PyPI pose2sim 0.10.49, Demo_SinglePerson, walk.mp4"}
    blurred, sharp = open_training(tmp_path / "first").batch(0, 0, 4, 64)
    assert np.abs(blurred - sharp).mean(axis=(1, 2, 3)).min() > tool.LEAST_CHANGE
    with pytest.raises(SystemExit, match="exists"):
        tool.main(clips, tmp_path / "first")


def test_crops_are_where_most_changes_and_apart(
    tools: tuple[ModuleType, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools[1], "SIZE", 32)
    change = np.zeros((64, 400), np.float32)
    change[20:40, 300:310], change[20:40, 50:60] = 1, 0.5
    first, second = tools[1].liveliest(change)
    assert 278 <= first[0] <= 300
    assert 28 <= second[0] <= 50
    assert list(tools[1].liveliest(np.zeros((64, 64), np.float32))) == []


def test_no_clip_is_both_learned_from_and_judged() -> None:
    picks = yaml.safe_load((REPO / "tools" / "image_picks.yaml").read_text())
    packages = [
        {picks["sources"][tag]["package"].split(",")[0] for tag in tags}
        for tags in (picks["training_motion"], [clip.partition("__")[0] for clip in picks["motion"]])
    ]
    assert all(packages)
    assert not packages[0] & packages[1]
