"""benchmarks/int8.py on a network of three layers: every entrant is judged, one that fails is a row with its error."""

import importlib
import json
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.conftest import REPO

IN_OUR_ENVIRONMENT = ("ours, LiteRT", "ours, ONNX Runtime", "ONNX Runtime percentile")


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(REPO / "benchmarks"))
    module = importlib.import_module("int8")
    monkeypatch.setattr(module, "ROUNDS", 2)
    monkeypatch.setattr(module, "FEWEST_ROUNDS", 2)
    return module


@pytest.fixture
def tiny(benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Any:
    kwargs = {"num_feat": 8, "num_conv": 1, "upscale": 2}
    subject = benchmark.Subject("tiny", "random weights", None, 32, 2, "srvgg", kwargs)
    monkeypatch.setattr(benchmark, "SUBJECTS", (subject,))
    return subject


def arguments(benchmark: ModuleType, build: Path, *words: str) -> Any:
    return benchmark.arguments(["--images", "8", "--pairs", "2", "--build", str(build), *words])


@pytest.mark.slow
def test_every_entrant_is_judged_and_a_failure_is_a_row(
    benchmark: ModuleType, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversions = sys.modules["int8_conversions"]
    entrants = [one for one in conversions.ENTRANTS if one.name in IN_OUR_ENVIRONMENT]
    broken = conversions.Entrant("broken", "broken.py", ".tflite")
    scripts = Path(shutil.copytree(conversions.SCRIPTS, tmp_path / "scripts"))
    (scripts / broken.script).write_text("raise ValueError('no kernel for this')\n")
    monkeypatch.setattr(conversions, "SCRIPTS", scripts)
    monkeypatch.setattr(benchmark, "ENTRANTS", (*entrants, broken))

    result = benchmark.main(arguments(benchmark, tmp_path / "build"))
    rows = {row["entrant"]: row for row in result["rows"]}
    assert set(rows) == {*IN_OUR_ENVIRONMENT, "broken"}
    for name in IN_OUR_ENVIRONMENT:
        row = rows[name]
        assert row["parity_worst_db"] > 30
        assert row["int8_mac_share"] == 1.0
        assert row["timed_calls"] == 4
        assert row["speedup"] == pytest.approx(row["fp32_ms"] / row["int8_ms"], abs=0.01)
        assert row["processor_seconds"] > 0
        assert row["peak_memory_mb"] > 50
        assert "lost_mean_db" not in row  # random weights restore nothing
    assert rows["broken"]["error"] == "exit status 1: ValueError: no kernel for this"
    assert "int8_ms" not in rows["broken"]

    shown = sys.modules["int8_table"].table(result | {"date": "2026-01-01"})
    assert "- tiny, broken: exit status 1: ValueError: no kernel for this" in shown
    assert shown.count("| tiny |") == 4
    sys.modules["int8_table"].draw(result | {"date": "2026-01-01"}, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").stat().st_size > 10_000


def test_what_was_made_is_made_again_only_when_something_changed(
    benchmark: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversions = sys.modules["int8_conversions"]
    monkeypatch.setattr(conversions, "SCRIPTS", tmp_path)
    script = tmp_path / "counts.py"
    script.write_text(
        "import sys, pathlib\npathlib.Path(sys.argv[1], 'runs').open('a').write('x')\n"
        "pathlib.Path(sys.argv[2], 'int8.tflite').touch()\n"
    )
    entrant = conversions.Entrant("counts", "counts.py", ".tflite")
    given = tmp_path / "given"
    given.mkdir()
    (given / "ready.json").write_text("{}")

    def runs_after(as_they_are: bool = False) -> int:
        made = conversions.made_files(entrant, given, tmp_path, as_they_are)
        assert Path(made["folder"], "int8.tflite").exists()
        return len((given / "runs").read_text())

    assert (runs_after(), runs_after()) == (1, 1)
    (given / "ready.json").write_text('{"network.safetensors": "another"}')
    assert runs_after(as_they_are=True) == 1
    assert (runs_after(), runs_after()) == (2, 2)


def test_super_resolution_sees_the_mean_of_what_it_shall_make(benchmark: ModuleType, tiny: Any) -> None:
    (pair, _) = benchmark.evaluation_pairs(tiny, 2)
    assert pair.blurred.shape == (32, 32, 3)
    assert pair.sharp.shape == (64, 64, 3)
    assert np.abs(pair.blurred[3, 5] - pair.sharp[6:8, 10:12].mean(axis=(0, 1))).max() <= 0.5 / 255 + 1e-6
    pictures = benchmark.calibration_pictures(tiny, 8)
    assert len(pictures) == 8
    assert len({picture.tobytes() for picture in pictures}) == 8


@pytest.mark.slow
def test_the_converters_of_others_make_files_that_run(
    benchmark: ModuleType, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = ("onnx2tf -oiqt", "TensorFlow converter")
    entrants = tuple(one for one in benchmark.ENTRANTS if one.name in wanted)
    monkeypatch.setattr(benchmark, "ENTRANTS", entrants)
    result = benchmark.main(arguments(benchmark, tmp_path / "build"))
    assert [row.get("error") for row in result["rows"]] == [None, None]
    assert all(row["parity_mean_db"] > 25 for row in result["rows"])
    assert json.dumps(result)


def test_the_table_says_where_a_peer_is_ahead(benchmark: ModuleType) -> None:
    def row(entrant: str, parity_db: float, ms: float) -> dict[str, Any]:
        return {"network": "tiny", "entrant": entrant, "parity_mean_db": parity_db, "int8_ms": ms}

    rows = [row("ours, tuned for CPUs", 50.0, 3.0), row("peer", 50.05, 2.5), row("ONNX Runtime percentile", 60.0, 1.0)]
    said = sys.modules["int8_table"].compared({"rows": [*rows, {**rows[1], "entrant": "failed", "error": "no kernel"}]})
    assert said == (
        "Ours tuned, figure by figure, against each peer on the same engine: 0 ahead, 1 even, 1 behind:\n\n"
        "- tiny, ms: 3.00 against 2.50 of peer"
    )
    assert "1 ahead, 0 even, 1 behind" in sys.modules["int8_table"].compared(
        {"rows": [rows[0], row("peer", 40.0, 2.5)]}
    )
