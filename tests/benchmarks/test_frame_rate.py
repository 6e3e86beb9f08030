"""benchmarks/frame_rate.py on a small picture: every file is timed on every number of threads."""

import importlib
from types import ModuleType

import pytest

from tests.conftest import REPO


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(REPO / "benchmarks"))
    module = importlib.import_module("frame_rate")
    monkeypatch.setattr(module, "HEIGHT", 64)
    monkeypatch.setattr(module, "WIDTH", 96)
    monkeypatch.setattr(module, "PRESETS", {"s": module.PRESETS["s"]})
    return module


def test_every_file_is_timed_on_every_number_of_threads(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmark, "AIMS_FPS", {"s": 60})
    result = benchmark.main(rounds=2)
    rows = result["rows"]
    found = {(row["precision"], row["threads"]) for row in rows}
    assert found == {(precision, n) for precision in ("fp32", "fp16", "int8", "int8_copies") for n in (1, 2)}
    assert result["timed_calls"] == 4
    assert all(row["min_ms"] > 0 and row["cpu_p50_ms"] > 0 for row in rows)
    student = result["students"]["s"]
    assert student["parameters"] == 133_028
    assert student["size_kb"]["int8"] < student["size_kb"]["fp16"] < student["size_kb"]["fp32"]
    assert len(result["load_average"]["before"]) == 3
    benchmark.show(result)
    assert "the aim is 60" in capsys.readouterr().out


def test_figures_of_known_times(benchmark: ModuleType) -> None:
    turns = benchmark.Entrant("s", "int8", 2, None, wall_ms=[30.0, 10.0, 20.0, 40.0, 90.0], cpu_ms=[50.0, 70.0, 60.0])
    assert turns.figures() == {
        "student": "s", "precision": "int8", "threads": 2,
        "p50_ms": 30.0, "p90_ms": 70.0, "min_ms": 10.0, "cpu_p50_ms": 60.0, "fps": 33.3,
    }  # fmt: skip


def test_a_turn_is_one_call_untimed_and_the_rest_timed(benchmark: ModuleType) -> None:
    calls: list[int] = []

    class Engine:
        def invoke(self) -> None:
            calls.append(len(entrant.wall_ms))

    entrant = benchmark.Entrant("s", "int8", 2, Engine())
    entrant.take_turn()
    assert calls == [0, *range(benchmark.RUNS)] and len(entrant.cpu_ms) == benchmark.RUNS


def test_ratios_compare_the_same_number_of_threads(benchmark: ModuleType) -> None:
    rows = [
        {"student": "s", "precision": precision, "threads": threads, "p50_ms": ms / threads, "cpu_p50_ms": ms}
        | {"fps": threads * 1000 / ms}
        for precision, ms in {"fp32": 80.0, "int8": 20.0, "int8_copies": 16.0}.items()
        for threads in (1, 2)
    ]
    ratios = benchmark.speedups(rows, "s")
    assert ratios["int8, 2 threads"] == {"p50_ms": 4.0, "cpu_p50_ms": 4.0}
    assert ratios["int8_copies, 1 threads"]["p50_ms"] == 5.0
    assert benchmark.best_fps(rows, "s") == 125.0
