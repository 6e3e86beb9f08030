from __future__ import annotations

import json

import pytest

from exporter.cli import main
from tests.runtimes.tiny_models import TinyFiles


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyFiles:
    return TinyFiles(tmp_path_factory.getbasetemp() / "tiny-models")


def test_several_files_and_thread_counts_make_a_table(tiny: TinyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    models = [str(tiny.tflite(kind).path) for kind in ("fp32", "fp16", "int8", "float_io")]
    words = ["bench", *models, "--threads", "1,2", "--runs", "5", "--warmup", "1"]
    assert main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [(row["precision"], row["threads"]) for row in said["timings"]] == [
        (precision, threads) for precision in ("fp32", "fp16", "int8", "int8") for threads in (1, 2)
    ]
    assert all(row["p50_ms"] > 0 and len(row["latency"]["samples_ms"]) == 5 for row in said["timings"])
    assert len(said["advice"]) == 2, "one sentence a number of threads"
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "2 threads" in out and "tiny.fp16.tflite" in out and "ship" in out


@pytest.mark.slow
@pytest.mark.extra("old-runtime")
def test_all_runtimes_that_take_the_file(tiny: TinyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["bench", str(tiny.tflite("int8").path), str(tiny.onnx().path), "--runtime", "all", "--runs", "5", "--json"]
    assert main(words) == 0
    rows = json.loads(capsys.readouterr().out)["timings"]
    assert {row["runtime"] for row in rows if row["file"].endswith(".tflite")} >= {"litert_cpu", "tflite_runtime"}
    assert "onnxruntime_cpu" in {row["runtime"] for row in rows if row["file"].endswith(".onnx")}


def test_one_file_gives_its_percentiles(tiny: TinyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", str(tiny.tflite("int8").path), "--runs", "5", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["runtime"] == "litert_cpu" and said["threads"] == 2 and 0 < said["p50_ms"] <= said["p99_ms"]


@pytest.mark.parametrize("threads", ["0", "x", "1,,2", "-1", ""])
def test_thread_counts_are_checked(threads: str, tiny: TinyFiles, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", str(tiny.tflite().path), f"--threads={threads}"]) == 2
    assert "such as 1,2,all" in capsys.readouterr().err
