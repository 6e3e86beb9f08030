"""What `exporter verify` says of a bundle that is whole: the stored verdict, what ran here, what nobody could tell."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from exporter.bundle import verify_bundle, write_bundle
from exporter.cli import main
from exporter.not_measured import NotMeasured
from tests.bundle.conftest import RECIPE, Finished, judged_by


def recipe_with(target: str, **budget: float) -> dict:
    recipe = copy.deepcopy(RECIPE)
    recipe["targets"][target]["budget"] |= budget
    return recipe


@pytest.fixture
def missed(finished: Finished, tmp_path: Path) -> Path:
    outcome, golden = finished
    return write_bundle(judged_by(outcome, recipe_with("onnx_int8", max_loss_db=0.05)), golden, tmp_path, multiple=4)


@pytest.fixture
def not_measured(finished: Finished, tmp_path: Path) -> Path:
    """One figure that the recipe promises is absent."""
    outcome, golden = finished
    absent = NotMeasured("nobody looked")
    targets = tuple(replace(t, audit=absent) if t.runtime == "tflite_runtime" else t for t in outcome.targets)
    recipe = recipe_with("tflite_int8_old", max_rank=4.0)
    return write_bundle(judged_by(replace(outcome, targets=targets), recipe), golden, tmp_path, multiple=4)


@pytest.mark.extra("old-runtime")
def test_all_kept_is_said_with_what_was_checked(pristine: Path, capsys) -> None:
    assert main(["verify", str(pristine)]) == 0
    *_, sentence, last = capsys.readouterr().out.splitlines()
    files = sum(path.is_file() for path in pristine.rglob("*")) - 1
    assert f"checked: {files} files against SHA256SUMS, 4 models against the manifest" in sentence
    assert "golden vectors of 5 of 5 models on their runtimes" in sentence
    assert "kept, 1 not measured" in sentence, "the ARM engine that need not be here is counted"
    assert last.startswith("exit code 0")


def test_a_missed_promise_is_repeated(missed: Path, capsys) -> None:
    assert main(["verify", str(missed)]) == 1
    out = capsys.readouterr().out
    assert "missed: onnx_int8: mean PSNR lost against the float model is 0.14 dB, promised at most 0.05 dB" in out
    assert "1 missed" in out.splitlines()[-2]
    assert "kept" not in out.splitlines()[-1]


def test_an_unmeasured_promise_is_exit_3(not_measured: Path, capsys) -> None:
    assert main(["verify", str(not_measured)]) == 3
    out = capsys.readouterr().out
    assert "not measured: tflite_int8_old: highest tensor rank was not measured: nobody looked" in out
    assert out.splitlines()[-1].startswith("exit code 3: not everything could be told")


def test_a_runtime_that_is_not_here_is_said_and_not_counted(pristine: Path, monkeypatch, capsys) -> None:
    from exporter.runtimes.tflite_runtime import TfliteRuntime

    monkeypatch.setattr(TfliteRuntime, "missing", lambda self: "install it")
    assert main(["verify", str(pristine)]) == 3
    out = capsys.readouterr().out
    assert "not checked: models/mobile_deblur.int8.tflite on tflite_runtime: install it" in out
    assert "golden vectors of 4 of 5 models" in out


def test_a_miss_here_outweighs_what_could_not_be_run(bundle: Path, resign, monkeypatch) -> None:
    from exporter.runtimes.tflite_runtime import TfliteRuntime

    monkeypatch.setattr(TfliteRuntime, "missing", lambda self: "install it")
    path = bundle / "golden" / "0_noise.mobile_deblur.int8.tflite.output.npy"
    np.save(path, np.ascontiguousarray(np.load(path)[:, ::-1]))
    resign(bundle)
    assert verify_bundle(bundle).exit_code == 1


def test_a_kept_status_over_a_missed_figure_is_no_verdict(missed: Path, resign, capsys) -> None:
    path = missed / "report" / "report.json"
    report = json.loads(path.read_text())
    for promise in report["promises"]:
        promise["status"] = "kept" if promise["status"] == "missed" else promise["status"]
    report |= {"verdict": "kept", "exit_code": 0}
    report["counts"] |= {"kept": report["counts"]["kept"] + 1, "missed": 0}
    path.write_text(json.dumps(report))
    junit = missed / "report" / "junit.xml"
    junit.write_text(junit.read_text().replace("<failure", "<system-out").replace("</failure", "</system-out"))
    resign(missed)
    assert main(["verify", str(missed)]) == 2
    assert "max_loss_db on onnxruntime_cpu is called kept; it is missed" in capsys.readouterr().err


def test_json_says_the_same(missed: Path, capsys) -> None:
    assert main(["verify", "--json", str(missed)]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["exit_code"], said["models"], len(said["checks"])) == (1, 4, 5)
    assert [p["promise"] for p in said["promises"] if p["status"] == "missed"] == ["max_loss_db"]
    assert any(line.startswith("missed: onnx_int8") for line in said["problems"])


@pytest.mark.parametrize("where", ["nothing", "empty"])
def test_what_is_no_bundle_is_exit_2(tmp_path: Path, where: str, capsys) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["verify", str(tmp_path / where)]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_the_help_says_what_the_codes_mean(capsys) -> None:
    assert main(["verify", "--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n  {code}    " in out for code in (0, 1, 2, 3))
