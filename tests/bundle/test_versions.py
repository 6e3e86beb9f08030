"""LiteRT releases in a bundle: the card's matrix, the verdict judged again from it, golden vectors on any of them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.bundle import verify_bundle, write_bundle
from exporter.cli import main
from exporter.errors import BundleError
from tests.bundle.conftest import RECIPE, Finished, judged_by
from tests.report.test_versions import checks

ASKED: dict[str, Any] = {**RECIPE, "verify": {**RECIPE["verify"], "versions": [check.runtime for check in checks()]}}


@pytest.fixture(scope="module")
def compared(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a run whose INT8 file was tried on four releases, one of which cannot run it."""
    outcome, golden = finished
    files = {t.artifact.sha256: checks() for t in outcome.targets if t.artifact.format == "tflite"}
    targets = tuple(replace(t, versions=files.pop(t.artifact.sha256, ())) for t in outcome.targets)
    run = judged_by(replace(outcome, targets=targets), ASKED)
    return write_bundle(run, golden, tmp_path_factory.mktemp("dist"), multiple=4)


def test_the_card_shows_the_matrix(compared: Path) -> None:
    card = (compared / "README.md").read_text(encoding="utf-8")
    assert compared.name.endswith(".missed"), "a release that cannot run the file has missed"
    assert "| File | LiteRT 2.1.0 | LiteRT 2.1.6 | tflite-runtime 2.14.0 | LiteRT 2.3.0 |" in card
    (row,) = (line for line in card.splitlines() if line.startswith("| `mobile_deblur.int8.tflite` | codes"))
    assert "| codes equal | 55.0 dB, at most 1 step: first at CONV_2D" in row
    assert "| **cannot run it**: it has no LOG of version 2 (LOG '&lt;b>', operator 3 of 9) | not measured: " in row


def test_a_run_without_releases_has_no_such_section(pristine: Path) -> None:
    assert "Which LiteRT" not in (pristine / "README.md").read_text(encoding="utf-8")


def test_the_verdict_follows_from_the_matrix(compared: Path, models_not_run: None) -> None:
    verdict = verify_bundle(compared)
    missed = [promise for promise in verdict.promises if promise.promise == "min_version_parity_db"]
    assert {promise.status.value for promise in missed} == {"kept", "missed", "not measured"}
    assert verdict.exit_code == 1


def test_a_cell_that_was_made_green_contradicts_its_verdict(
    compared: Path, tmp_path: Path, resign: Callable[[Path], None], models_not_run: None
) -> None:
    changed = Path(shutil.copytree(compared, tmp_path / compared.name))
    path = changed / "report" / "report.json"
    report = json.loads(path.read_text())
    cells = next(target["versions"] for target in report["targets"] if target["name"] == "tflite_int8")
    cells[2].update(refused=False, agreement=cells[0]["agreement"])
    path.write_text(json.dumps(report))
    resign(changed)
    with pytest.raises(BundleError, match="min_version_parity_db on tflite_runtime"):
        verify_bundle(changed)


def test_golden_vectors_run_on_a_release_that_is_asked_for(
    pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EXPORTER_ENGINES", str(tmp_path))
    words = ["verify", str(pristine), "--json", "--runtime", "litert_2.1.0", "--runtime", "litert_2.3.0"]
    assert main(words) == 3
    checked = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checked["models/mobile_deblur.int8.tflite on litert_2.1.0"]["status"] == "passed"
    absent = checked["models/mobile_deblur.fp16.tflite on litert_2.3.0"]
    assert absent["status"] == "not checked" and "--install litert" in absent["detail"]
    assert not any(".onnx on litert_2" in name for name in checked)


@pytest.mark.parametrize(
    ("runtime", "says"),
    [("litert_9", "no runtime is named 'litert_9'"), ("tensorrt", "no model of .* is of that format")],
)
def test_a_runtime_that_cannot_be_meant_is_refused(
    runtime: str, says: str, pristine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(pristine), "--runtime", runtime]) == 2
    assert re.search(says, capsys.readouterr().err)
