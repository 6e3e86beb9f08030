"""Shipped recipes keep what they promise, from the shipped weights and photographs."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from exporter.cli import main
from tests.conftest import REPO


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "least_gain_db", "colour"),
    [("mobile_sr", 2.8, "rgb"), ("mobile_denoise", 7, "rgb"), ("grey_denoise", 6, "grey")],
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


@pytest.mark.slow
def test_sixteen_bit_activations_keep_what_eight_bits_lose(tmp_path: Path) -> None:
    """Weights stay at 8 bits: rounding them with care is the other half."""
    recipe = yaml.safe_load((REPO / "recipes" / "mobile_denoise.yaml").read_text())
    recipe["model"]["checkpoint"] = str(REPO / "recipes" / recipe["model"]["checkpoint"])
    recipe["data"]["calibration"] = str(REPO / "calibration" / "photos_256")
    recipe["data"]["evaluation"] = str(tmp_path / "ten")  # int16 has slow reference kernels alone
    for side in ("blurred", "sharp"):
        (tmp_path / "ten" / side).mkdir(parents=True)
        for picture in sorted((REPO / "calibration" / "evaluation_256" / side).iterdir())[::4]:
            shutil.copy(picture, tmp_path / "ten" / side)
    options = {
        "tflite_int8": ({"device": "cpu"}, 1.0),
        "tflite_int16x8": ({"precision": "int16x8", "equalize": True, "rounding": "adaptive"}, 0.05),
    }
    recipe["targets"] = {
        name: {
            "runtime": "litert_cpu",
            "stages": ["onnx_to_tflite", {"quantize_tflite": words}],
            "budget": {"max_loss_db": most_db},
        }
        for name, (words, most_db) in options.items()
    }
    recipe |= {"budget": {}, "verify": {"runs": 5, "warmup": 1}}
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(recipe))
    words = [f"recipe={tmp_path / 'two.yaml'}", "--build", str(tmp_path / "build"), "--dist", str(tmp_path / "dist")]
    assert main(words) == 0
    (bundle,) = (tmp_path / "dist").iterdir()
    targets = json.loads((bundle / "report" / "report.json").read_text())["targets"]
    lost_db = {target["name"]: target["quality"]["loss_db"] for target in targets}
    assert lost_db["tflite_int8"] > 0.3
    assert lost_db["tflite_int16x8"] <= 0.05
