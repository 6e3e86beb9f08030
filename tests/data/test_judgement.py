"""Sets are judged once; every byte of every picture is looked at again all the same."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from exporter.data import judgement
from exporter.data.calibration import coverage, open_calibration
from exporter.data.evaluation import open_evaluation
from exporter.data.judgement import Images, judge_sets
from exporter.data.training import open_training
from exporter.errors import DataError
from tests.conftest import REPO

SETS, SIDE = REPO / "calibration", 32


def opened(folder: Path) -> Images:
    """Eight shipped photographs to calibrate with, two pairs, and one picture to train on, in `folder`."""
    if not folder.exists():
        for count, source, place in (
            (8, SETS / "photos_256", "learned"),
            (2, SETS / "evaluation_256" / "blurred", "pairs/blurred"),
            (2, SETS / "evaluation_256" / "sharp", "pairs/sharp"),
            (1, SETS / "training_384", "training"),
        ):
            (folder / place).mkdir(parents=True)
            for file in [file for file in sorted(source.iterdir()) if file.suffix in (".jpg", ".png")][:count]:
                shutil.copyfile(file, folder / place / file.name)
    return Images(
        open_calibration(folder / "learned", SIDE, SIDE),
        open_evaluation(folder / "pairs", SIDE, SIDE),
        open_training(folder / "training"),
    )


def refuse(*_: object) -> None:
    raise AssertionError("judged again")


def test_an_unchanged_set_is_judged_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, record = opened(tmp_path / "sets"), tmp_path / "image_sets.json"
    first = judge_sets(images, int8=True, record=record)
    assert first.coverage == coverage(images.calibration)
    monkeypatch.setattr(judgement, "_judge", refuse)
    assert judge_sets(opened(tmp_path / "sets"), int8=True, record=record) == first
    with pytest.raises(AssertionError, match="judged again"):
        judge_sets(images, int8=False, record=record)


@pytest.mark.parametrize("place", ["learned", "pairs/blurred", "pairs/sharp", "training"])
def test_a_picture_that_changed_is_judged_again(tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    images, record = opened(tmp_path / "sets"), tmp_path / "image_sets.json"
    judge_sets(images, int8=True, record=record)
    file = sorted((tmp_path / "sets" / place).iterdir())[0]
    file.write_bytes(file.read_bytes() + b"\0")
    monkeypatch.setattr(judgement, "_judge", refuse)
    with pytest.raises(AssertionError, match="judged again"):
        judge_sets(images, int8=True, record=record)  # opened before: the manifest still says the old digest


def test_a_leak_is_an_error_every_time(tmp_path: Path) -> None:
    images, record = opened(tmp_path / "sets"), tmp_path / "image_sets.json"
    leaked = sorted((tmp_path / "sets" / "pairs" / "sharp").iterdir())[0]
    for place in ("learned", "training"):
        copy = tmp_path / "sets" / place / f"again{leaked.suffix}"
        shutil.copyfile(leaked, copy)
        images = opened(tmp_path / "sets")
        for _ in range(2):
            with pytest.raises(DataError, match="is learned from and shows what"):
                judge_sets(images, int8=True, record=record)
        assert not record.exists()
        copy.unlink()
