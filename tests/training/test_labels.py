"""A pool labelled by its teacher: asked once, resumed when killed, read instead of asking."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from exporter.data import pool as pools
from exporter.data.pool import PairPool
from exporter.errors import StageError
from exporter.processes.place import Place
from exporter.progress import Silent
from exporter.training.labels import label
from exporter.training.loop import Fit
from exporter.training.options import FitOptions
from tests.data.drawn import drawn, pictures
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


@pytest.fixture
def pool(tmp_path: Path, photo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> PairPool:
    """Seven pairs in four shards."""
    monkeypatch.setattr(pools, "SHARD_BYTES", 2 * 2 * 3 * 64 * 64)
    return drawn(tmp_path / "pools", photo_folder, 7, 64)


def labelled(pool: PairPool, teacher: nn.Module | None = None, digest: str = "a" * 64, **place: int) -> PairPool:
    return label(pool, teacher or Teacher(), digest, CPU, Silent(), Place(**place))


def labels_of(pool: PairPool) -> np.ndarray:
    assert pool.teacher_output is not None
    return pictures(pool.teacher_output)


def test_a_label_is_the_teachers_picture_of_the_whole_tile(pool: PairPool) -> None:
    tiles = torch.from_numpy(pictures(pool.blurred).transpose(0, 3, 1, 2).astype(np.float32) / 255)
    made = labels_of(labelled(pool)).transpose(0, 3, 1, 2)
    assert made.astype(np.float32) == pytest.approx(Teacher()(tiles).numpy(), abs=6e-4)


def test_a_teacher_that_enlarges_labels_pairs_of_two_sizes(photo_folder: Path, tmp_path: Path) -> None:
    pool = labelled(drawn(tmp_path, photo_folder, 3, 32, scale=2), nn.Upsample(scale_factor=2))
    assert labels_of(pool) == pytest.approx(pictures(pool.blurred).repeat(2, 1).repeat(2, 2) / 255, abs=6e-4)
    small, sharp, label_ = pool.batch(0, 0, 4, 16)
    assert small.shape[2:] == (16, 16)
    assert sharp.shape == label_.shape == (4, 3, 32, 32)
    assert label_ == pytest.approx(small.repeat(2, 2).repeat(2, 3), abs=6e-4)


def test_the_third_picture_is_cut_turned_and_mirrored_as_the_others(pool: PairPool) -> None:
    blurred, sharp, teacher_output = labelled(pool, nn.Identity()).batch(3, 4, 12, 32)
    assert blurred.shape == sharp.shape == teacher_output.shape == (12, 3, 32, 32)
    assert blurred.dtype == sharp.dtype == teacher_output.dtype == np.float32
    assert teacher_output == pytest.approx(blurred, abs=3e-4)
    for bare, side in zip(pool.batch(3, 4, 12, 32), (blurred, sharp), strict=True):
        assert np.array_equal(bare, side)


def test_labels_are_made_once_for_a_pool_and_a_teacher(pool: PairPool) -> None:
    labelled(pool)
    written = label_files(pool)
    assert len(written) == 4
    labelled(pool)
    assert label_files(pool) == written
    labelled(pool, digest="b" * 64)
    assert len(label_files(pool)) == 8 and written.items() <= label_files(pool).items()


def test_killed_labelling_goes_on_where_it_was(pool: PairPool) -> None:
    whole = {file.name: file.read_bytes() for file in label_files(labelled(pool))}
    first, *others = label_files(pool)
    there = first.stat().st_mtime_ns
    for file in others:
        file.unlink()
        file.with_suffix(".json").unlink()
    labelled(pool)
    assert {file.name: file.read_bytes() for file in label_files(pool)} == whole
    assert first.stat().st_mtime_ns == there


def test_an_answer_that_fails_leaves_nothing(pool: PairPool) -> None:
    with pytest.raises(Killed):
        labelled(pool, Teacher(answers=0))
    assert not label_files(pool)
    assert not list(pool.folder.rglob(".unfinished*"))


def test_threads_and_the_order_of_work_change_no_bit(pool: PairPool, narrow_teacher: Path) -> None:
    """Many threads would share one picture's sums, and round them otherwise."""
    from exporter.generators.network_file import read_network

    made, threads = [], torch.get_num_threads()
    for count, rank in ((1, 0), (3, 1)):
        torch.set_num_threads(count)
        try:
            labelled(pool, read_network(narrow_teacher), rank=rank, count=2)
            assert torch.get_num_threads() == count
        finally:
            torch.set_num_threads(threads)
        made.append([file.read_bytes() for file in label_files(pool)])
        for file in label_files(pool):
            file.unlink()
            file.with_suffix(".json").unlink()
    assert made[0] == made[1]


def test_the_record_says_where_the_teacher_computed(pool: PairPool) -> None:
    labelled(pool)
    said = [json.loads(file.with_suffix(".json").read_text())["content"] for file in label_files(pool)]
    assert said == [{"teacher": "a" * 64, "device": "CPU"}] * 4


def test_a_teacher_that_says_nan_is_refused(pool: PairPool) -> None:
    teacher = Teacher()
    teacher.body.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(StageError, match="picture of tile 0 in .* is not finite"):
        labelled(pool, teacher)
    assert not label_files(pool)


def label_files(pool: PairPool) -> dict[Path, int]:
    """With the time each was written."""
    return {file: file.stat().st_mtime_ns for file in sorted(pool.folder.rglob("*.teacher_output.*.safetensors"))}


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
    read = fit(tmp_path / "read", labelled(pool), silent)
    assert asked.asked == 40
    assert [line["teacher"] for line in read] == pytest.approx([line["teacher"] for line in live], rel=2e-3)


def test_labels_need_no_teacher_at_all(pool: PairPool, tmp_path: Path) -> None:
    both = [fit(tmp_path / name, labelled(pool), who) for name, who in (("a", Teacher(answers=0)), ("b", None))]
    assert [line["teacher"] for line in both[0]] == [line["teacher"] for line in both[1]]


@pytest.mark.parametrize(("term", "asked"), [("feature", 1), ("perceptual", 2)])
def test_terms_on_inner_layers_still_ask_the_teacher(pool: PairPool, tmp_path: Path, term: str, asked: int) -> None:
    teacher = Teacher()
    lines = fit(tmp_path / term, labelled(pool), teacher, steps=3, **{term: 0.1})
    assert teacher.asked == 1 + 3 * asked  # once to learn the shapes
    assert {"teacher", term} <= lines[-1].keys()
