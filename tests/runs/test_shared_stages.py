"""Runs that share a store: a stage is made once, and what comes out is the same with a store and without."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from exporter.artifact import Format
from exporter.cache.store import Store, open_store
from exporter.cli import main
from exporter.progress import Silent
from exporter.runs import shared
from exporter.runs.folder import RunFolder
from tests.conftest import REPO
from tests.runs.copy_stage import Copy


@pytest.fixture
def said(monkeypatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(Silent, "say", lambda self, line: lines.append(line))
    return lines


@pytest.fixture
def folders(tmp_path) -> list[RunFolder]:
    shelf = open_store(str(tmp_path / "store"))
    return [RunFolder(tmp_path / name / "tiny", Store(shelf, Silent().say)) for name in ("a", "b")]


def test_a_stage_that_another_run_has_made(folders, source, workspace, said):
    one, other = folders
    made = one.made(Copy(), source, workspace)
    assert other.finished(other.folder_of(Copy(), source, workspace)) is None
    taken = other.known(Copy(), source, workspace)
    assert taken == replace(made, path=other.folder_of(Copy(), source, workspace) / "copy.onnx")
    assert [line.partition(" [")[0] for line in said] == ["copy: taken from the store"]
    assert other.known(Copy(), source, workspace) == other.made(Copy(), source, workspace) == taken


def test_another_kind_of_processor_makes_its_own(folders, source, workspace, monkeypatch):
    one, other = folders
    one.made(Copy(), source, workspace)
    monkeypatch.setattr(shared, "_machine", lambda: {"cpu": "another"})
    assert other.known(Copy(), source, workspace) is None


@pytest.mark.parametrize("kind", [Format.TENSORRT, Format.NPU])
def test_machine_code_stays_where_it_was_made(folders, source, workspace, kind):
    class Compile(Copy):
        gives: ClassVar[Format] = kind

        def run(self, source, workspace):
            return replace(super().run(source, workspace), format=kind)

    one, other = folders
    one.made(Compile(), source, workspace)
    assert other.known(Compile(), source, workspace) is None
    assert not list(one.store.shelf.entries())


def test_a_run_without_a_store_asks_none(run_folder, source, workspace):
    assert run_folder.known(Copy(), source, workspace) is None
    made = run_folder.made(Copy(), source, workspace)
    assert run_folder.known(Copy(), source, workspace) == made


@pytest.mark.slow
def test_a_bundle_does_not_depend_on_the_store(recipe, capfd, monkeypatch):
    def export(build: str, *words: str) -> dict[str, bytes]:
        assert main([f"recipe={recipe}", "--build", build, "--dist", f"dist-{build}", *words]) == 0
        (bundle,) = Path(f"dist-{build}").iterdir()
        files = [bundle / "manifest.json", bundle / "README.md"]
        files += [path for part in ("models", "golden") for path in (bundle / part).rglob("*") if path.is_file()]
        return {path.relative_to(bundle).as_posix(): path.read_bytes() for path in files}

    alone = export("alone")
    first = export("first", "--store", "shared")
    monkeypatch.setenv("EXPORTER_STORE", "shared")
    capfd.readouterr()
    second = export("second")
    said = capfd.readouterr().out
    assert alone == first == second and len(alone) > 4
    assert "distill: taken from the store" in said and "running" not in said


def test_a_store_that_cannot_be_is_refused_before_any_work(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recipe = REPO / "recipes" / "mobile_deblur.yaml"
    assert main([f"recipe={recipe}", "--store", "not/mounted"]) == 2
    assert "is the shared drive mounted?" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
