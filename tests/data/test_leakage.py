from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from exporter.data.evaluation import EvaluationSet, open_evaluation
from exporter.data.leakage import check_leakage
from exporter.errors import DataError
from tests.conftest import REPO

EVALUATION = REPO / "calibration" / "evaluation_256"


@dataclass
class Learned:
    files: tuple[Path, ...]


@pytest.fixture(scope="module")
def judged() -> EvaluationSet:
    return open_evaluation(EVALUATION, 256, 256)


@pytest.fixture
def photo() -> Path:
    return sorted((EVALUATION / "sharp").iterdir())[3]


def test_the_same_bytes_are_found(judged: EvaluationSet, photo: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.png"
    copy.write_bytes(photo.read_bytes())
    with pytest.raises(DataError, match=rf"copy\.png is learned from .*{photo.name}"):
        check_leakage(Learned((copy,)), judged)


@pytest.mark.parametrize("how", ["re-encoded", "halved", "brighter"])
def test_the_same_picture_in_other_bytes_is_found(judged: EvaluationSet, photo: Path, tmp_path: Path, how: str) -> None:
    picture = Image.open(photo)
    if how == "halved":
        picture = picture.resize((128, 128))
    if how == "brighter":
        picture = picture.point(lambda level: min(255, level * 1.15))
    picture.save(tmp_path / "again.jpg", quality=60)
    with pytest.raises(DataError, match=rf"again\.jpg is learned from .*{photo.name}"):
        check_leakage(Learned((tmp_path / "again.jpg",)), judged)


def test_a_sharp_picture_is_found_when_only_its_blurred_twin_is_judged(photo: Path, tmp_path: Path) -> None:
    for side in ("blurred", "sharp"):
        (tmp_path / side).mkdir()
        source = EVALUATION / "blurred" / photo.name
        (tmp_path / side / "x.png").write_bytes(source.read_bytes())
    only_blurred = open_evaluation(tmp_path, 256, 256)
    with pytest.raises(DataError, match=f"{photo.name} is learned from"):
        check_leakage(Learned((photo,)), only_blurred)


def test_other_pictures_pass(judged: EvaluationSet) -> None:
    others = tuple(sorted((REPO / "calibration" / "photos_256").glob("*.jpg"))[:10])
    check_leakage(Learned(others), judged)
