"""How long a stage took is kept, and told before it runs again."""

from __future__ import annotations

import json
from pathlib import Path

from exporter.recipes.plan import Chain
from exporter.runs.times import remember, usual_seconds
from exporter.stages.prune import Prune
from exporter.stages.quantize_tflite import QuantizeTflite
from exporter.stages.simplify_onnx import SimplifyOnnx

CHAIN = Chain("phone", "litert_cpu", (Prune(steps=200), SimplifyOnnx(), QuantizeTflite(precision="fp16")))


def test_what_took_long_is_remembered_by_name_and_precision(tmp_path):
    remember(tmp_path / "own", "quantize_tflite fp16", 12.34, QuantizeTflite(precision="fp16"))
    remember(tmp_path / "own", "quantize_tflite int8", 60, QuantizeTflite())
    remember(tmp_path / "own", "simplify_onnx", 0.2)
    remember(tmp_path / "own", "verify", 100)
    assert usual_seconds(tmp_path / "own", [CHAIN]) == {"quantize_tflite fp16": 12.3, "verify": 100}


def test_a_training_takes_as_long_as_it_has_steps(tmp_path):
    remember(tmp_path / "own", "prune", 30, Prune(steps=100))
    assert usual_seconds(tmp_path / "own", [CHAIN]) == {"prune": 60}


def test_another_recipe_beside_it_tells_what_this_one_does_not_know(tmp_path):
    remember(tmp_path / "a", "verify", 10)
    remember(tmp_path / "b", "verify", 20)
    remember(tmp_path / "b", "simplify_onnx", 5)
    assert usual_seconds(tmp_path / "a", [CHAIN]) == {"verify": 10, "simplify_onnx": 5}
    assert usual_seconds(tmp_path / "new", [CHAIN]) == {"verify": 10, "simplify_onnx": 5}


def test_a_file_that_is_not_ours_tells_nothing(tmp_path: Path):
    folder = tmp_path / "own"
    folder.mkdir()
    for content in ("[1]", '{"prune": 3}', '{"prune": {"seconds": "long"}}', "{"):
        (folder / "times.json").write_text(content)
        assert usual_seconds(folder, [CHAIN]) == {}
    (folder / "times.json").write_text(json.dumps({"prune": {"steps": 2}}))
    assert usual_seconds(folder, [CHAIN]) == {}
