"""LiteRT's releases in folders of their own: what is found is that very release, and it says what it lacks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exporter.engines.folder import STAMP
from exporter.engines.litert_versions import VERSIONS, LiteRtVersions, check_litert, litert_folder
from exporter.errors import EngineError
from tests.installed import put_together


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EXPORTER_ENGINES", str(tmp_path))
    return tmp_path


def test_what_is_not_there_is_named(empty: Path) -> None:
    (litert_folder("2.1.6")).mkdir(parents=True)
    (litert_folder("2.1.6") / STAMP).write_text(json.dumps({"versions": {}}))
    said = str(LiteRtVersions().installed())
    assert said == "LiteRT 2.1.0, 2.3.0 is not put together: exporter runtimes --install litert"


def test_another_release_is_never_taken_for_it(empty: Path, tmp_path: Path) -> None:
    """The folder is empty, and behind it on the path lies the release of our own environment."""
    with pytest.raises(EngineError, match=r"LiteRT 2\.3\.0 does not start: Python takes .*ai_edge_litert.* for it"):
        check_litert("2.3.0", tmp_path)


@pytest.mark.slow
def test_every_release_starts_and_names_what_it_lacks(tmp_path: Path) -> None:
    put_together(LiteRtVersions())
    for version in VERSIONS:
        check_litert(version, tmp_path)


@pytest.mark.slow
def test_a_release_that_takes_anything_is_not_called_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary's operator is one that every release has: nothing is refused, and that is found out."""
    put_together(LiteRtVersions())
    monkeypatch.setattr("exporter.engines.litert_versions.UNKNOWN_VERSION", 1)
    with pytest.raises(EngineError, match="does not name the operator that it lacks"):
        check_litert("2.3.0", tmp_path)
