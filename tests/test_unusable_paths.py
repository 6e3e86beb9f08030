"""Paths that cannot be used, tried for real through the command line: one sentence that names the file, exit code 2."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.cli import main
from tests.conftest import REPO
from tests.recipes.recipe_folder import write_recipe_folder
from tests.small_disk import mounted, read_only

LONG = "n" * 300


@pytest.fixture
def recipe(tmp_path, teacher_file, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_recipe_folder(tmp_path, teacher_file, stages=[], version="1.0")


def said_by(words: list[object], capfd, code: int = 2) -> str:
    assert main([str(word) for word in words]) == code
    said = capfd.readouterr().err
    assert "Traceback" not in said
    assert "Errno" not in said
    assert len([line for line in said.splitlines() if line.startswith("error: ")]) == 1
    return said


def _file(name: str) -> None:
    Path(name).touch()


def _loop(name: str) -> None:
    Path(name).symlink_to(name)


def _dangling(name: str) -> None:
    Path(name).symlink_to("nowhere/at/all")


@pytest.mark.parametrize("make", [_file, _loop, _dangling])
@pytest.mark.parametrize("folder", ["build", "dist"])
def test_build_and_dist_that_are_no_folders(recipe, capfd, folder, make):
    make("taken")
    assert "taken" in said_by([f"recipe={recipe}", f"--{folder}", "taken"], capfd)
    assert "taken" in said_by([f"recipe={recipe}", f"--{folder}", "taken/below"], capfd)


@pytest.mark.parametrize("folder", ["build", "dist"])
def test_build_and_dist_that_may_not_be_written(recipe, tmp_path, capfd, folder):
    with read_only(tmp_path / "fixed"):
        assert "read-only" in said_by([f"recipe={recipe}", f"--{folder}", "fixed"], capfd)
    assert LONG in said_by([f"recipe={recipe}", f"--{folder}", LONG], capfd)


@pytest.mark.parametrize("make", [Path.mkdir, _loop, _dangling])
def test_a_checkpoint_that_is_no_file(recipe, capfd, make):
    make(Path("weights.pth"))
    assert "weights.pth" in said_by([f"recipe={recipe}", "model.checkpoint=weights.pth"], capfd)


@pytest.mark.parametrize("key", ["model.checkpoint", "data.calibration", "data.evaluation", "data.training"])
def test_names_that_are_too_long(recipe, capfd, key):
    said_by([f"recipe={recipe}", f"{key}={LONG}"], capfd)


def test_recipes_that_cannot_be_read(recipe, capfd):
    for name in (LONG, ".", "loop.yaml", "nul\0byte"):
        if name == "loop.yaml":
            _loop(name)
        said_by([f"recipe={name}"], capfd)
        said_by(["plan", f"recipe={name}"], capfd)
        said_by(["train", f"recipe={name}"], capfd)


@pytest.mark.parametrize("make", [_loop, _dangling, Path.mkdir])
@pytest.mark.parametrize("folder", ["calibration", "evaluation/sharp", "training"])
def test_what_is_no_picture_among_pictures(recipe, capfd, folder, make):
    make(Path(folder, "odd.png"))
    assert "odd.png" in said_by([f"recipe={recipe}"], capfd)


MODELS = [["lint"], ["bench"], ["verify"], ["run", "photo.png", "out.png", "--model"]]


@pytest.mark.parametrize("words", MODELS, ids=lambda words: words[0])
@pytest.mark.parametrize("ending", [".tflite", ".onnx", ".safetensors", ""])
def test_models_and_bundles_that_cannot_be_opened(tmp_path, monkeypatch, capfd, words, ending):
    monkeypatch.chdir(tmp_path)
    shutil.copy(REPO / "exporter" / "__init__.py", "photo.png")
    Path(f"folder{ending}").mkdir()
    _loop(f"loop{ending}")
    _file(f"empty{ending}")
    for name in (
        f"folder{ending}",
        f"loop{ending}",
        f"empty{ending}",
        f"{LONG}{ending}",
        f"empty{ending}/below{ending}",
    ):
        said_by([*words, name], capfd)


def test_a_disk_that_fills_up_during_an_export(recipe, tmp_path, capfd):
    with mounted(tmp_path / "disk", "size=600k") as disk:
        assert "the disk is full" in said_by([f"recipe={recipe}", "--build", disk / "build"], capfd, 4)
        assert not list(disk.rglob(".unfinished-*"))
        assert not list(disk.rglob("artifact.json"))
    with mounted(tmp_path / "disk", "size=600k") as disk:
        assert "the disk is full" in said_by([f"recipe={recipe}", "--dist", disk], capfd, 4)
        assert list(disk.iterdir()) == []


def test_files_that_belong_to_somebody_else(recipe, tmp_path):
    """As the user `nobody`, whom permissions bind."""
    if os.geteuid() or not shutil.which("setpriv"):
        pytest.skip("becoming the user nobody needs root and setpriv")
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    exporter = [*nobody, sys.executable, "-m", "exporter"]
    environment = os.environ | {"PYTHONPATH": str(REPO), "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*exporter, *map(str, words)], capture_output=True, text=True, env=environment, cwd="/")

    if run("--version").returncode:
        pytest.skip("the user nobody may not read this installation")
    recipe.chmod(0o600)
    done = run("plan", f"recipe={recipe}")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "tiny.yaml" in done.stderr
