"""benchmarks/training.py on tiny batches: every way is timed, and compared with an older result."""

import importlib
import json
from pathlib import Path
from types import ModuleType

import pytest
import torch

from tests.conftest import REPO


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch, photo_folder: Path) -> ModuleType:
    monkeypatch.syspath_prepend(str(REPO / "benchmarks"))
    module = importlib.import_module("training")
    numbers = {"BATCH": 1, "CROP_PX": 32, "TILE_PX": 104, "STORED": 2, "POOL_PX": 48}
    for name, value in {"PHOTOGRAPHS": photo_folder, **numbers}.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(module, "student", lambda: torch.nn.Conv2d(3, 3, 3, padding=1))
    return module


@pytest.mark.slow
def test_every_way_is_timed_and_compared(
    benchmark: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    threads = torch.get_num_threads()
    words = ["--steps", "30", "--rounds", "1", "--device", "cpu", "--threads", str(threads)]
    first = benchmark.main(benchmark.arguments(words))
    assert [row["pairs"] for row in first["rows"]] == ["photographs", "pool", "tiles"]
    assert all(row["pictures_per_s"] > 0 and row["outside_network"] < 1 for row in first["rows"])
    older = first | {"environment": {}, "rows": first["rows"][:2]}
    (tmp_path / "older.json").write_text(json.dumps(older))
    second = benchmark.main(benchmark.arguments([*words, "--before", str(tmp_path / "older.json")]))
    assert second["before"]["times_faster"].keys() == {"photographs", "pool", "tiles over photographs"}
    benchmark.show(second)
    assert "of the time outside the network" in capsys.readouterr().out
