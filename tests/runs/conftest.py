"""A small whole recipe in a folder of its own, which is the current one; a build folder and a stage that copies."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from exporter.artifact import Artifact, Format
from exporter.progress import Silent
from exporter.runs.folder import RunFolder
from exporter.stages import Workspace
from tests.conftest import Pictures, artifact_of
from tests.recipes.recipe_folder import write_recipe_folder


@pytest.fixture
def recipe(tmp_path, teacher_file, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_recipe_folder(tmp_path, teacher_file)


@pytest.fixture
def source(tmp_path) -> Artifact:
    path = tmp_path / "source.onnx"
    path.write_bytes(b"model")
    return artifact_of(path, Format.ONNX)


@pytest.fixture
def workspace(tmp_path, source) -> Workspace:
    return Workspace(tmp_path, source, Pictures(), None, 0, Silent(), nullcontext)


@pytest.fixture
def run_folder(tmp_path) -> RunFolder:
    return RunFolder(tmp_path / "build")
