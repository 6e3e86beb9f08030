from __future__ import annotations

from pathlib import Path

import pytest

from exporter.engines.folder import engines_folder, is_made_of, replacing, stamp_of

ORDER = {"names": ["engine"], "suite": "bookworm"}


def test_the_folder_is_the_users_or_under_build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EXPORTER_ENGINES", str(tmp_path / "mine"))
    assert engines_folder() == tmp_path / "mine"
    monkeypatch.delenv("EXPORTER_ENGINES")
    monkeypatch.chdir(tmp_path)
    assert engines_folder() == tmp_path / "build/engines"


def test_a_finished_folder_says_what_it_was_made_of(tmp_path: Path) -> None:
    folder = tmp_path / "engines/engine"
    with replacing(folder, ORDER, {"versions": {"engine": "1"}}) as content:
        (content / "engine.so").write_text("first")
        assert not folder.exists(), "nothing unfinished may lie where a finished engine is looked for"
    assert is_made_of(folder, ORDER) and stamp_of(folder)["versions"] == {"engine": "1"}
    assert not is_made_of(folder, ORDER | {"suite": "bullseye"})
    with replacing(folder, ORDER, {"versions": {"engine": "2"}}) as content:
        (content / "other.so").write_text("second")
    assert [path.name for path in sorted(folder.iterdir())] == [".made_of.json", "other.so"]
    assert [path.name for path in folder.parent.iterdir()] == ["engine"], "no temporary folder stays behind"


def test_an_interrupted_unpacking_leaves_what_was_there(tmp_path: Path) -> None:
    folder = tmp_path / "engine"
    with pytest.raises(KeyboardInterrupt), replacing(folder, ORDER, {}) as content:
        (content / "half").write_text("")
        raise KeyboardInterrupt
    assert not folder.exists() and not stamp_of(folder) and not list(tmp_path.iterdir())


def test_a_folder_without_a_stamp_is_not_finished(tmp_path: Path) -> None:
    (tmp_path / "engine.so").write_text("")
    assert not is_made_of(tmp_path, {})
    (tmp_path / ".made_of.json").write_text("{")
    assert stamp_of(tmp_path) == {}
