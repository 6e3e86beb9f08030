"""Shipped recipes keep what they promise, from the shipped weights and photographs."""

import json
from pathlib import Path

import pytest

from exporter.cli import main
from tests.conftest import REPO


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "least_gain_db", "colour"), [("mobile_sr", 2.8, "rgb"), ("grey_denoise", 6, "grey")]
)
def test_a_shipped_network_beats_what_there_is_without_it(recipe, least_gain_db, colour, tmp_path: Path) -> None:
    words = [f"recipe={REPO / 'recipes' / f'{recipe}.yaml'}", "verify.runs=5", "verify.warmup=1"]
    words += ["targets.tflite_int8.budget.max_latency_ms=100000"]  # a test asserts no times
    assert main([*words, "--build", str(tmp_path / "build"), "--dist", str(tmp_path / "dist")]) == 0
    (bundle,) = (tmp_path / "dist").iterdir()
    report = json.loads((bundle / "report" / "report.json").read_text())
    gains_db = {target["name"]: target["quality"]["gain_db"] for target in report["targets"]}
    assert min(gains_db.values()) > least_gain_db
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert {model["input"].get("colour", "rgb") for model in manifest["models"]} == {colour}
    assert main(["verify", str(bundle)]) == 0
