"""The small recipe and what a sweep on this machine, one at a time, makes of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.sweep.clusters import bytes_of, small_recipe, sweep

Digests = dict[str, dict[str, str]]


@pytest.fixture(scope="session")
def alone(tmp_path_factory: pytest.TempPathFactory, teacher_file: Path) -> Iterator[tuple[Path, Digests]]:
    """The recipe's folder, and digests of the bundles that one worker of this machine made."""
    folder, here = tmp_path_factory.mktemp("alone"), Path.cwd()
    small_recipe(folder, teacher_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(REPO))
        os.chdir(folder)
        try:
            found = sweep("alone")
            assert found["exit_code"] == 0, found
            yield folder, bytes_of(found)
        finally:
            os.chdir(here)


@pytest.fixture
def recipe_folder(alone: tuple[Path, Digests], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(alone[0])
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    return alone[0]
