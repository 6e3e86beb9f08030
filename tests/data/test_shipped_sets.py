"""The sets in calibration/ are what their manifests and README say."""

from pathlib import Path

import pytest
import yaml

from exporter.data.calibration import CalibrationSet, coverage, laplacian_variance, open_calibration
from exporter.data.evaluation import open_evaluation
from exporter.data.leakage import check_leakage
from exporter.data.metrics import psnr_db
from tests.conftest import REPO

SETS = REPO / "calibration"
PERMISSIVE = {"MIT", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "CC0-1.0", "CC-BY-4.0"}
FOLDERS = sorted(path.parent for path in SETS.glob("*/manifest.yaml"))
LEARNED, JUDGED = ("photos_256", "training_384"), ("evaluation_256", "evaluation_motion_256")


def entries(folder: Path) -> list[dict]:
    manifest = yaml.safe_load((folder / "manifest.yaml").read_text())
    return manifest.get("images") or manifest["pairs"]


def open_shipped(name: str) -> CalibrationSet:
    size = int(name.rpartition("_")[2])
    return open_calibration(SETS / name, size, size)


def test_all_four_are_here_and_described() -> None:
    assert {folder.name for folder in FOLDERS} == {*LEARNED, *JUDGED}
    readme = (SETS / "README.md").read_text()
    assert all(folder.name in readme for folder in FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_picture_has_a_permissive_licence_and_no_picture_is_undescribed(folder: Path) -> None:
    described = {"manifest.yaml"}
    for entry in entries(folder):
        assert entry["licence"] in PERMISSIVE
        assert entry["source"]
        described |= {entry[key] for key in ("file", "blurred", "sharp") if key in entry}
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert found == described


def test_no_package_is_on_both_sides() -> None:
    packages = [
        {entry["source"].split(",")[0] for name in names for entry in entries(SETS / name)}
        for names in (LEARNED, JUDGED)
    ]
    assert not packages[0] & packages[1]


@pytest.mark.parametrize("learned", LEARNED)
def test_nothing_judged_is_learned_from(learned: str) -> None:
    for judged in JUDGED:
        check_leakage(open_shipped(learned), open_evaluation(SETS / judged, 256, 256))


def test_calibration_covers_dark_bright_soft_and_sharp() -> None:
    covered = coverage(open_shipped("photos_256"))
    assert covered.images == 100
    assert min(covered.brightness) < 0.02
    assert max(covered.brightness) > 0.8
    assert min(covered.sharpness) < 5
    assert max(covered.sharpness) > 1000
    assert (covered.channel_min, covered.channel_max) == (0.0, 1.0)


def test_training_crops_are_sharp() -> None:
    assert min(laplacian_variance(image) for image in open_shipped("training_384")) > 75


def test_evaluation_inputs_are_blurred_about_as_much_as_gopro() -> None:
    pairs = list(open_evaluation(SETS / "evaluation_256", 256, 256))
    assert len(pairs) == 40
    scores = [psnr_db(pair.blurred, pair.sharp) for pair in pairs]
    assert sum(scores) / len(scores) == pytest.approx(25.05, abs=0.01)
    assert all(laplacian_variance(pair.sharp) > laplacian_variance(pair.blurred) for pair in pairs)


def test_motion_pairs_are_blurred_from_lightly_to_badly_and_come_from_a_package_nothing_is_learned_from() -> None:
    pairs = list(open_evaluation(SETS / "evaluation_motion_256", 256, 256))
    assert len(pairs) == 13
    scores = [psnr_db(pair.blurred, pair.sharp) for pair in pairs]
    assert sum(scores) / len(scores) == pytest.approx(26.30, abs=0.01)
    assert 22.5 < min(scores) < 23.5
    assert 29 < max(scores) < 30
    assert all(laplacian_variance(pair.sharp) > laplacian_variance(pair.blurred) for pair in pairs)
    assert {entry["source"] for entry in entries(SETS / "evaluation_motion_256")} == {
        "PyPI sports2d 0.8.34, Demo, demo.mp4"
    }


@pytest.mark.parametrize("name", LEARNED)
def test_one_override_makes_them_720p(name: str) -> None:
    assert next(iter(open_calibration(SETS / name, 720, 1280))).shape == (720, 1280, 3)
