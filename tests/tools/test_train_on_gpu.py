"""tools/train_on_gpu.py rehearsed on the CPU: packs, a taught run within its time, and nothing done twice."""

import importlib
import json
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import REPO

TRAIN = """
name: demo
model: {arch: mobilenetv3_student, kwargs: {preset: s}}
data: {training: photos, height: 32, width: 32, blur: {max_length_px: 4}}
training: {batch: 1, crop_px: 32, warmup_steps: 1, teacher: 0, device: cpu}
"""
PLAN = """
photographs: photos
packs: packs
out: out
pack_mb: 0.015
longest_px: 160
evaluation: pairs
runs:
  - {name: first, recipe: demo.yaml, share: 0.5}
  - {name: second, recipe: demo.yaml, share: 0.5, taught_by: first, words: {training.teacher: 0.5}}
tiles: {count: 2, size_px: 72, kernels: 2}
cuda_benchmark: false
"""


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(REPO / "tools"))
    return importlib.import_module("train_on_gpu")


@pytest.fixture
def plan(tmp_path: Path, photo_folder: Path, pair_folder: Path) -> Path:
    (tmp_path / "photos").symlink_to(photo_folder)
    (tmp_path / "pairs").symlink_to(pair_folder)
    (tmp_path / "demo.yaml").write_text(TRAIN)
    (tmp_path / "plan.yaml").write_text(PLAN)
    return tmp_path / "plan.yaml"


def test_packs_hold_every_photograph_and_stay_small(tool: ModuleType, plan: Path) -> None:
    tool.main([str(plan), "--pack"])
    packs = sorted((plan.parent / "packs").glob("*.zip"))
    assert len(packs) > 1
    assert all(path.stat().st_size <= 15_000 for path in packs)
    assert sorted(name for path in packs for name in zipfile.ZipFile(path).namelist()) == [f"{i}.jpg" for i in range(4)]


@pytest.mark.slow
def test_a_rehearsal_trains_teacher_and_student_once(tool: ModuleType, plan: Path) -> None:
    tool.main([str(plan), "--pack"])
    for _ in range(4):  # beside other work a run may not end in its time: the same command goes on
        result = tool.main([str(plan), "--minutes", "2"])
        if all(row["finished"] for row in result["runs"].values()):
            break
    out = plan.parent / "out"
    assert json.loads((out / "results.json").read_text()) == result
    assert all(row["finished"] and row["steps"] >= tool.LEAST_STEPS for row in result["runs"].values())
    card = json.loads((out / "train" / "second" / "card.json").read_text())
    assert "teacher" in card["files"]
    again = tool.main([str(plan), "--minutes", "2"])
    assert again["runs"] == result["runs"]
    assert again["took_s"] < 5


@pytest.mark.slow
def test_a_run_that_does_not_end_is_stopped_and_said(
    tool: ModuleType, plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one second Python has not even started."""
    tool.main([str(plan), "--pack"])
    monkeypatch.setattr(tool, "_steps_that_fit", lambda *rest: 50)
    result = tool.main([str(plan), "--minutes", "0.01"])
    assert [row["finished"] for row in result["runs"].values()] == [False, False]
    assert json.loads((plan.parent / "out" / "first.steps.json").read_text()) == 50


def test_a_student_waits_for_its_teacher(tool: ModuleType, plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool.main([str(plan), "--pack"])
    begun = []
    monkeypatch.setattr(tool, "train", lambda run, *rest: begun.append(run.name) or {"finished": False})
    result = tool.main([str(plan), "--minutes", "1"])
    assert begun == ["first"] and result["runs"]["second"] == {"finished": False, "waits_for": "first"}


def test_without_packs_there_is_a_sentence(tool: ModuleType, plan: Path) -> None:
    with pytest.raises(SystemExit, match="holds no packs"):
        tool.main([str(plan), "--minutes", "0.1"])


def test_the_shipped_plan_can_be_read(tool: ModuleType) -> None:
    plan = tool.read_plan(REPO / "tools" / "train_on_gpu.yaml")
    assert [run.name for run in plan.runs] == ["teacher", "student"]
    assert all(run.recipe.exists() for run in plan.runs)
