"""benchmarks/students.py on small pictures: every student is timed, those with weights are measured, too."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import REPO


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(REPO / "benchmarks"))
    module = importlib.import_module("students")
    monkeypatch.setattr(module, "SIDE", 64)
    monkeypatch.setattr(module, "PRESETS", {"s": module.PRESETS["s"], "p": module.PRESETS["p"]})
    return module


@pytest.mark.slow
def test_students_are_timed_and_those_with_weights_measured(
    benchmark: ModuleType, student_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = benchmark.main([student_file], 2, tmp_path)
    rows = result["students"]
    assert list(rows) == ["student s", "student p", *[name for name in rows if "student" not in name[:8]]]
    assert "synthetic" in rows["student s"] and "synthetic" not in rows["student p"]  # no weights are shipped yet
    classes = rows["student s"]["synthetic"]["by_class"]
    assert sum(one["pictures"] for one in classes.values()) == 40
    assert all(row["ms"] > 0 and row["gmac_per_s"] > 0 for row in rows.values())
    assert rows[benchmark.YARDSTICK]["share_of_plain"] == 1
    assert (tmp_path / "students.png").stat().st_size > 5000
    benchmark.show(result)
    assert "of plain" in capsys.readouterr().out
