"""Which exporter made a bundle: a commit where git knows its code, never somebody else's."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from exporter.runs import origin


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", str(folder), *identity, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package in a repository of its own, looked at in place of ours."""
    folder = tmp_path / "repository" / "exporter"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    git(folder.parent, "init", "-q")
    git(folder.parent, "add", ".")
    git(folder.parent, "commit", "-qm", "first")
    monkeypatch.setattr(origin, "PACKAGE", folder)
    return folder


def test_a_work_tree_says_its_commit(package: Path) -> None:
    found = origin.exporter_origin()
    assert found["commit"] == git(package, "rev-parse", "HEAD")
    assert found["modified"] is False and "code_sha256" not in found


@pytest.mark.parametrize("file", ["__init__.py", "new.py"])
def test_changed_and_new_code_is_said(package: Path, file: str) -> None:
    (package / file).write_text("changed = True\n")
    found = origin.exporter_origin()
    assert found["modified"] is True
    assert found["code_sha256"] == origin.code_sha256(package)
    (package / file).write_text("changed = False\n")
    assert origin.exporter_origin()["code_sha256"] != found["code_sha256"]


def test_changes_outside_the_package_do_not_count(package: Path) -> None:
    (package.parent / "notes.txt").write_text("x")
    assert origin.exporter_origin()["modified"] is False


def test_another_repository_around_the_package_is_not_ours(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = package.parent / ".venv" / "exporter"
    shutil.copytree(package, installed)
    monkeypatch.setattr(origin, "PACKAGE", installed)
    monkeypatch.setattr(origin, "_installed_from", dict)
    found = origin.exporter_origin()
    assert "commit" not in found and found["code_sha256"] == origin.code_sha256(installed)


def test_the_callers_git_variables_are_not_asked(
    package: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commit = git(package, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    assert origin.exporter_origin()["commit"] == commit


def test_without_git_the_code_speaks_for_itself(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(origin, "_installed_from", dict)
    assert "code_sha256" in origin.exporter_origin()
