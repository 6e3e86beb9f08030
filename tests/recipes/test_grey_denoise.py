"""The shipped recipe of a grey denoiser keeps what it promises, from the shipped weights and photographs."""

import json
from pathlib import Path

import pytest

from exporter.cli import main
from tests.conftest import REPO


@pytest.mark.slow
def test_the_shipped_denoiser_beats_its_noisy_input(tmp_path: Path) -> None:
    words = [f"recipe={REPO / 'recipes' / 'grey_denoise.yaml'}", "verify.runs=5", "verify.warmup=1"]
    words += ["targets.tflite_int8.budget.max_latency_ms=100000"]  # a test asserts no times
    assert main([*words, "--build", str(tmp_path / "build"), "--dist", str(tmp_path / "dist")]) == 0
    (bundle,) = (tmp_path / "dist").iterdir()
    report = json.loads((bundle / "report" / "report.json").read_text())
    gains_db = {target["name"]: target["quality"]["gain_db"] for target in report["targets"]}
    assert min(gains_db.values()) > 6
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert {model["input"]["colour"] for model in manifest["models"]} == {"grey"}
    assert main(["verify", str(bundle)]) == 0
