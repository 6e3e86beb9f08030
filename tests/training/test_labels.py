"""A pool labelled by its teacher: asked once, resumed when killed, read instead of asking."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from exporter.data.pool import PairPool, open_pool
from exporter.data.training import open_training
from exporter.data.training_small import enlarging
from exporter.errors import StageError
from exporter.progress import Silent
from exporter.training import labels
from exporter.training.labels import label
from exporter.training.loop import Fit
from exporter.training.options import FitOptions
from exporter.training.processes import Processes
from tests.training.plain_network import PlainNetwork

CPU = torch.device("cpu")


class Teacher(nn.Module):
    """Sharpens with a round kernel: turned and mirrored pictures give turned and mirrored pictures."""

    def __init__(self, answers: int = 10**9) -> None:
        super().__init__()
        self.asked, self.answers = 0, answers
        self.body = nn.Conv2d(3, 3, 3, padding=1, groups=3, bias=False).requires_grad_(False)
        self.body.weight[:] = -0.1
        self.body.weight[:, :, 1, 1] = 1.8

    def forward(self, x: Tensor) -> Tensor:
        if self.asked == self.answers:
            raise Killed
        self.asked += 1
        picture: Tensor = self.body(x)
        return picture

    def bottleneck(self) -> nn.Module:
        return self.body


class Killed(Exception): ...


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory, photo_folder: Path) -> PairPool:
    return open_pool(tmp_path_factory.mktemp("pool"), open_training(photo_folder), 7, 64, 0, Silent())


@pytest.fixture
def groups_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "GROUP", 2)


def labelled(pool: PairPool, folder: Path, teacher: nn.Module | None = None, digest: str = "a" * 64) -> PairPool:
    return label(pool, teacher or Teacher(), digest, folder, CPU, Silent())


def test_a_label_is_the_teachers_picture_of_the_whole_tile(pool: PairPool, tmp_path: Path) -> None:
    teacher_output = labelled(pool, tmp_path).teacher_output
    assert teacher_output is not None
    tiles = torch.from_numpy(pool.blurred.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    assert teacher_output.transpose(0, 3, 1, 2).astype(np.float32) == pytest.approx(Teacher()(tiles).numpy(), abs=6e-4)


def test_a_teacher_that_enlarges_labels_pairs_of_two_sizes(photo_folder: Path, tmp_path: Path) -> None:
    pool = open_pool(tmp_path, enlarging(open_training(photo_folder), 2, None), 3, 32, 0, Silent())
    given = labelled(pool, tmp_path, nn.Upsample(scale_factor=2)).teacher_output
    assert given is not None
    assert given.astype(np.float32) == pytest.approx(pool.blurred.repeat(2, 1).repeat(2, 2) / 255, abs=6e-4)
    small, sharp, label_ = replace(pool, teacher_output=given).batch(0, 0, 4, 16)
    assert small.shape[2:] == (16, 16)
    assert sharp.shape == label_.shape == (4, 3, 32, 32)
    assert label_ == pytest.approx(small.repeat(2, 2).repeat(2, 3), abs=6e-4)


def test_the_third_picture_is_cut_turned_and_mirrored_as_the_others(pool: PairPool, tmp_path: Path) -> None:
    blurred, sharp, teacher_output = labelled(pool, tmp_path, nn.Identity()).batch(3, 4, 12, 32)
    assert blurred.shape == sharp.shape == teacher_output.shape == (12, 3, 32, 32)
    assert blurred.dtype == sharp.dtype == teacher_output.dtype == np.float32
    assert teacher_output == pytest.approx(blurred, abs=3e-4)
    for bare, side in zip(pool.batch(3, 4, 12, 32), (blurred, sharp), strict=True):
        assert np.array_equal(bare, side)


def test_labels_are_made_once_for_a_pool_and_a_teacher(pool: PairPool, tmp_path: Path) -> None:
    teacher = Teacher()
    labelled(pool, tmp_path, teacher)
    assert teacher.asked == 7
    labelled(pool, tmp_path, teacher)
    assert teacher.asked == 7
    labelled(pool, tmp_path, teacher, "b" * 64)
    assert teacher.asked == 14
    assert len(list(tmp_path.glob("*.raw"))) == 2


@pytest.mark.usefixtures("groups_of_two")
def test_killed_labelling_goes_on_where_it_was(pool: PairPool, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        labelled(pool, tmp_path / ".", Teacher(answers=5))
    assert {path.suffix for path in tmp_path.iterdir()} == {".partial", ".lock"}
    teacher = Teacher()
    resumed = labelled(pool, tmp_path, teacher).teacher_output
    assert teacher.asked == 3  # two groups of two were there
    (tmp_path / "whole").mkdir()
    whole = labelled(pool, tmp_path / "whole").teacher_output
    assert resumed is not None
    assert whole is not None
    assert np.array_equal(resumed, whole)
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.usefixtures("groups_of_two")
def test_processes_share_the_work(pool: PairPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rank 1 of 2 answers for its groups and leaves; one process alone then does the rest."""

    class Left(Exception): ...

    class Second(Processes):
        waited = 0

        def wait(self) -> None:
            Second.waited += 1
            if Second.waited == 4:  # alone with the pool, all have looked, the file is there, all have answered
                raise Left

    second = Teacher()
    with monkeypatch.context() as patch:
        patch.setattr(labels, "joined", lambda: Second(1, 2))
        with pytest.raises(Left):
            labelled(pool, tmp_path, second)
    first = Teacher()
    teacher_output = labelled(pool, tmp_path, first).teacher_output
    assert (first.asked, second.asked) == (4, 3)
    (tmp_path / "alone").mkdir()
    assert np.array_equal(teacher_output, labelled(pool, tmp_path / "alone").teacher_output)


def test_a_teacher_that_says_nan_is_refused(pool: PairPool, tmp_path: Path) -> None:
    teacher = Teacher()
    teacher.body.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(StageError, match="picture of tile 0 is not finite"):
        labelled(pool, tmp_path, teacher)
    assert not list(tmp_path.glob("*.raw"))


def fit(folder: Path, pairs: PairPool, teacher: nn.Module, **changes: object) -> list[dict[str, float]]:
    base = {
        "steps": 40,
        "batch": 2,
        "crop_px": 64,
        "learning_rate": 1e-3,
        "warmup_steps": 2,
        "pixel": 0,
        "frequency": 0,
    }
    folder.mkdir(exist_ok=True)
    torch.manual_seed(0)
    Fit(PlainNetwork(), teacher, pairs, FitOptions(**(base | changes)), 5, folder, Silent()).run()
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


def test_labels_teach_what_the_teacher_would_have_said(pool: PairPool, tmp_path: Path) -> None:
    """Crops are whole tiles here, so nothing differs but the rounding."""
    asked, silent = Teacher(), Teacher(answers=0)
    live = fit(tmp_path / "live", pool, asked)
    read = fit(tmp_path / "read", labelled(pool, tmp_path), silent)
    assert asked.asked == 40
    assert [line["teacher"] for line in read] == pytest.approx([line["teacher"] for line in live], rel=2e-3)


def test_labels_need_no_teacher_at_all(pool: PairPool, tmp_path: Path) -> None:
    both = [
        fit(tmp_path / name, labelled(pool, tmp_path), who) for name, who in (("a", Teacher(answers=0)), ("b", None))
    ]
    assert [line["teacher"] for line in both[0]] == [line["teacher"] for line in both[1]]


@pytest.mark.parametrize(("term", "asked"), [("feature", 1), ("perceptual", 2)])
def test_terms_on_inner_layers_still_ask_the_teacher(pool: PairPool, tmp_path: Path, term: str, asked: int) -> None:
    teacher = Teacher()
    lines = fit(tmp_path / term, labelled(pool, tmp_path), teacher, steps=3, **{term: 0.1})
    assert teacher.asked == 1 + 3 * asked  # once to learn the shapes
    assert {"teacher", term} <= lines[-1].keys()
