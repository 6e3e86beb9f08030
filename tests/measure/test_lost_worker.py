"""A worker that is taken away is "not measured" on its row, and the export goes on; the next run measures again."""

import json
import sys
from pathlib import Path

import pytest

from exporter.cli import main
from exporter.errors import EngineError, LostWorker
from exporter.runtimes import worker
from exporter.runtimes.tflite_runtime import TfliteRuntime
from exporter.runtimes.worker_process import run_worker
from tests.recipes.recipe_folder import write_recipe_folder

KILLED = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
OLD = {
    "stages": ["torch_to_onnx", "simplify_onnx"],
    "targets": {
        "new": {
            "runtime": "litert_cpu",
            "stages": ["onnx_to_tflite"],
            "budget": {"min_parity_db": 60},
            "also_on": ["tflite_runtime"],
        },
        "old": {"runtime": "tflite_runtime", "stages": ["onnx_to_tflite"], "budget": {"min_parity_db": 60}},
    },
}


@pytest.mark.parametrize(
    ("program", "error", "says"),
    [
        (KILLED, LostWorker, "SIGKILL \\(the memory may have been full\\)"),
        ("import os; os.kill(os.getpid(), 15)", LostWorker, "SIGTERM"),
        ("import time; time.sleep(60)", LostWorker, "no answer in 1 s"),
        ("import os; os.abort()", EngineError, "SIGABRT"),
        ("raise SystemExit('odd file')", EngineError, "exit code 1; its last lines:\n    odd file"),
    ],
)
def test_how_a_worker_ended(tmp_path, program, error, says):
    (tmp_path / "worker.py").write_text(program)
    with pytest.raises(error, match=says) as caught:
        run_worker("engine", [sys.executable], tmp_path, timeout_s=1 if "sleep" in program else 60)
    assert type(caught.value) is error


@pytest.mark.slow
@pytest.mark.skipif(bool(TfliteRuntime().missing()), reason="the extra old-runtime is not installed")
def test_an_export_without_its_old_runtime(tmp_path, teacher_file, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    recipe = write_recipe_folder(tmp_path, teacher_file, **OLD)
    (tmp_path / "killed.py").write_text(KILLED)
    with monkeypatch.context() as patch:
        patch.setattr(worker, "WORKER_PROGRAM", tmp_path / "killed.py")
        assert main([f"recipe={recipe}"]) == 3
    capfd.readouterr()
    (bundle,) = Path("dist").iterdir()
    report = json.loads((bundle / "report" / "report.json").read_text())
    new, old = report["targets"]
    for figure in ("parity", "quality", "latency"):
        assert "SIGKILL" in old[figure]["not_measured"]
        assert "not_measured" not in new[figure]
    assert "SIGKILL" in new["cross_runtime"][0]["parity"]["not_measured"]
    assert {finding["severity"] for finding in old["findings"] if finding["rule"] == "runs"} == {"warning"}

    assert main([f"recipe={recipe}"]) == 0
    assert "running" not in capfd.readouterr().out


@pytest.mark.slow
@pytest.mark.skipif(bool(TfliteRuntime().missing()), reason="the extra old-runtime is not installed")
@pytest.mark.parametrize("alone", [False, True])
def test_a_file_whose_only_runtime_was_lost_has_no_vector_and_is_not_checked(
    tmp_path, teacher_file, monkeypatch, capfd, alone
):
    monkeypatch.chdir(tmp_path)
    targets = {"old": OLD["targets"]["old"]} | ({} if alone else {"onnx": {"runtime": "onnxruntime_cpu"}})
    recipe = write_recipe_folder(tmp_path, teacher_file, stages=OLD["stages"], targets=targets)
    (tmp_path / "killed.py").write_text(KILLED)
    with monkeypatch.context() as patch:
        patch.setattr(worker, "WORKER_PROGRAM", tmp_path / "killed.py")
        assert main([f"recipe={recipe}"]) == 3
    capfd.readouterr()
    assert main(["verify", "dist/tiny-1.0"]) == 3
    said = capfd.readouterr()
    reason = "no golden vector, its runtime was not measured when this was exported"
    assert f"not checked: models/tiny.fp32.tflite on tflite_runtime: {reason}" in said.out + said.err
    assert "failed" not in said.out + said.err
