"""benchmarks/cuda.py without a GPU: its arithmetic, its honesty, and every row's process."""

import importlib
from types import ModuleType

import numpy as np
import pytest

from exporter.runtimes import CUDA_RUNTIMES
from tests.conftest import REPO


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(REPO / "benchmarks"))
    return importlib.import_module("cuda")


def test_distance(benchmark):
    expected = np.full((2, 2, 3), 0.5, np.float32)
    found = benchmark.distance(expected + np.float32(0.1), expected)
    assert found["relative_l2"] == pytest.approx(0.2, rel=1e-5) and found["psnr_db"] == 20
    assert benchmark.distance(expected, expected)["psnr_db"] is None
    assert benchmark.distance(expected * np.float32("nan"), expected)["nan"] == 12


def test_figures(benchmark):
    found = benchmark.figures([[1.0, 1.0, 1.0], [1.2, 1.2, 1.2]])
    assert found["p50_ms"] == pytest.approx(1.1) and found["noise"] == pytest.approx(0.2 / 1.1, abs=1e-3)


def test_ratios_only_of_what_was_measured(benchmark):
    rows = {
        "torch_fp16": {"sizes": {"a": {"p50_ms": 4.0}}},
        "rtx_int8": {"sizes": {"a": {"p50_ms": 2.0}, "b": {"p50_ms": 1.0}}},
        "rtx_fp16": {"not_measured": "refused"},
    }
    assert benchmark.ratios(rows) == {"a over torch_fp16": {"rtx_int8": 2.0}}


@pytest.mark.parametrize("code", [-11, 1])
def test_a_crashed_row_is_not_measured(code, benchmark):
    assert benchmark.answer(code, '{"sizes": {}}', "boom\nlast words") == {
        "not_measured": f"its process ended with {code}: last words"
    }
    assert benchmark.answer(0, 'noise\n{"sizes": {}}\n', "") == {"sizes": {}}


def test_rows_name_known_runtimes_and_never_call_fake_quant_int8(benchmark):
    names = {runtime.name for runtime in CUDA_RUNTIMES}
    assert {row.runtime for row in benchmark.ROWS} == names
    assert len({row.name for row in benchmark.ROWS}) == len(benchmark.ROWS)
    for row in benchmark.ROWS:
        assert row.kind.startswith(("trt-rtx", "tensorrt")) or "int8" not in row.name


def test_without_a_gpu_nothing_is_overwritten(benchmark, monkeypatch, capsys):
    monkeypatch.setattr(benchmark, "missing_gpu", lambda: "there is no NVIDIA driver here")
    monkeypatch.setattr(benchmark, "record", lambda *_: pytest.fail("no GPU is no result"))
    monkeypatch.setattr("sys.argv", ["cuda.py"])
    assert benchmark.main() == 0
    assert "stays as it is" in capsys.readouterr().out


def test_a_row_says_why_it_was_not_measured(benchmark, monkeypatch, tmp_path):
    monkeypatch.setattr("exporter.runtimes.cuda.missing_gpu", lambda: "there is no NVIDIA driver here")
    row = benchmark.ROWS[0]
    assert benchmark.measure_row(row, tmp_path) == {"not_measured": "there is no NVIDIA driver here"}
    assert "no time left" in benchmark._in_own_process(row, tmp_path, 5)["not_measured"]


def test_the_photograph_fills_a_frame(benchmark):
    frame = benchmark._photograph(300, 520)
    assert frame.shape == (300, 520, 3) and np.array_equal(frame[256:300], frame[255:211:-1])
