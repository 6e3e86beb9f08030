"""`exporter plan` says which stages an earlier run has finished."""

import json
import sys
from pathlib import Path

import pytest

from exporter.cli import main
from tests.recipes.recipe_folder import write_recipe_folder


def test_what_an_earlier_run_has_done(
    tmp_path: Path, teacher_file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    targets = {"web": {"runtime": "onnxruntime_cpu"}}
    recipe = write_recipe_folder(tmp_path, teacher_file, stages=["torch_to_onnx", "simplify_onnx"], targets=targets)

    def planned(*words: str) -> dict[str, list[str]]:
        capfd.readouterr()
        assert main(["plan", f"recipe={recipe}", "--json", *words]) == 0
        return json.loads(capfd.readouterr().out)["kept"]

    assert planned() == {}
    assert main([f"recipe={recipe}"]) == 0
    assert planned() == {"web": ["load_generator", "torch_to_onnx", "simplify_onnx"]}
    assert planned("simplify_onnx.fold_batch_norm=false") == {"web": ["load_generator", "torch_to_onnx"]}
    assert planned("model.multiple=64") == {"web": []}
    assert planned("--build", "elsewhere") == {}
    (tmp_path / "build" / "tiny" / "times.json").write_text("{}")
    assert main(["plan", f"recipe={recipe}"]) == 0
    assert _takes(capfd.readouterr().out) == ["done, kept", "done, kept", "done, kept", "not known yet"]
    times = {"simplify_onnx": {"seconds": 80}, "verify": {"seconds": 65}}
    (tmp_path / "build" / "tiny" / "times.json").write_text(json.dumps(times))
    assert main(["plan", f"recipe={recipe}", "simplify_onnx.fold_batch_norm=false"]) == 0
    said = capfd.readouterr().out
    assert _takes(said) == ["done, kept", "done, kept", "about 80 s", "about 65 s"]
    assert "\nabout 2 min by earlier runs\n" in said
    assert planned_steps(recipe, capfd)[2] == {
        "name": "simplify_onnx", "targets": ["web"], "done": True, "usually_s": 80.0,
    }  # fmt: skip


def planned_steps(recipe: Path, capfd: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    assert main(["plan", f"recipe={recipe}", "--json"]) == 0
    return json.loads(capfd.readouterr().out)["steps"]


def _takes(said: str) -> list[str]:
    """The last column of the table of steps."""
    return [line.split("│")[3].strip() for line in said.splitlines() if line.startswith("│")]


def test_a_base_install_plans_beside_an_earlier_run(
    tmp_path: Path, teacher_file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = write_recipe_folder(tmp_path, teacher_file, stages=[], targets={"torch": {"runtime": "torch_cpu"}})
    assert main([f"recipe={recipe}"]) == 0
    for name in [name for name in sys.modules if name.startswith(("exporter.runs.kept", "safetensors"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    capfd.readouterr()
    assert main(["plan", f"recipe={recipe}"]) == 0
    assert "done, kept" not in capfd.readouterr().out


def test_a_plan_says_all_sizes(
    tmp_path: Path, teacher_file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    targets = {"phone": {"runtime": "litert_cpu"}}
    recipe = write_recipe_folder(
        tmp_path, teacher_file, stages=["torch_to_onnx", "onnx_to_tflite"], targets=targets, input={}
    )
    assert main(["plan", f"recipe={recipe}", "input.sizes=[64x64, 96x128]"]) == 0
    assert capfd.readouterr().out.startswith("tiny 1.0, 64×64, 96×128 px, a signature each\n")
