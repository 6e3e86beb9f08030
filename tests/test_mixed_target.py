"""A recipe with an INT8 target and one of mixed precision, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from exporter.cli import main
from tests.conftest import REPO
from tests.recipes.recipe_folder import FULL_CHAINS, write_recipe_folder
from tests.stages.networks import OneSensitive

BUDGET = {"max_loss_db": 0.05, "images": 2}


def _report() -> dict:
    return json.loads(Path("dist/tiny-1.0.missed/report/report.json").read_text())


def test_both_files_are_reported_and_the_report_makes_the_same_file_again(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(REPO)
    torch.save(OneSensitive().state_dict(), tmp_path / "net.pth")
    targets = {
        "int8": FULL_CHAINS["targets"]["int8"] | {"budget": {}},
        "mixed": {
            "runtime": "litert_cpu",
            "stages": ["onnx_to_tflite", {"quantize_tflite": {"mixed": BUDGET}}],
            "budget": {"min_parity_db": 30, "max_float_islands": 0},
        },
    }
    model = {"arch": "tests.stages.networks:OneSensitive", "checkpoint": "net.pth"}
    chain = ["torch_to_onnx", "simplify_onnx"]
    recipe = write_recipe_folder(tmp_path, tmp_path / "net.pth", model=model, stages=chain, targets=targets)
    assert main([f"recipe={recipe}"]) == 1, "float layers break the promise of no float islands"
    assert "mixed: float islands is" in capfd.readouterr().out
    first = _report()
    table = first["notes"]["quantize_tflite int8 mixed"]["mixed_precision"]
    assert "mixed_precision" not in first["notes"]["quantize_tflite int8"]
    assert table["trials"][table["chosen"]]["float"]
    files = {target["name"]: target["model"]["sha256"] for target in first["targets"]}
    assert files["mixed"] != files["int8"]
    assert 'id="precision"' in Path("dist/tiny-1.0.missed/report/index.html").read_text(encoding="utf-8")

    (tmp_path / "earlier.json").write_text(json.dumps(first))
    words = ["quantize_tflite.costs=earlier.json", *(f"quantize_tflite.mixed.{k}={v}" for k, v in BUDGET.items())]
    assert main([f"recipe={recipe}", *words]) == 1
    again = {target["name"]: target["model"]["sha256"] for target in _report()["targets"]}
    assert set(again.values()) == {files["mixed"]}, "the words mean both targets"
