from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from exporter.cli import main
from exporter.recipes.export import load_recipe
from exporter.recipes.plan import make_plan
from tests.conftest import REPO
from tests.probe.networks import Plain
from tests.recipes.schema import mistakes_in

HERE = "tests.probe.networks"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
def test_the_recipe_of_a_users_network_runs_as_it_stands(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["init", f"{HERE}:Signed", "--size", "32x48", "-o", "signed.yaml"]) == 0
    assert "random weights, signed.random.safetensors" in capfd.readouterr().out
    recipe = load_recipe("signed.yaml")
    assert recipe.name == "signed" and recipe.model.arch == f"{HERE}:Signed" and recipe.model.range == (-1, 1)
    assert (recipe.input.height, recipe.input.width) == (32, 48)
    assert list(recipe.targets) == ["onnx", "tflite_fp32", "tflite_fp16", "tflite_int8", "onnx_int8"]
    assert recipe.budget_of("tflite_int8").min_int8_mac_share == 1 and recipe.budget_of("onnx").min_parity_db == 80
    assert make_plan(recipe)
    assert main(["recipe=signed.yaml", "verify.runs=5", "verify.warmup=1"]) == 0
    assert (tmp_path / "dist" / "signed-0.1.0" / "manifest.json").is_file()


@pytest.mark.slow
def test_the_recipe_of_a_recurrent_network_runs_as_it_stands(capfd: pytest.CaptureFixture[str]) -> None:
    network = "tests.probe.recurrent_networks:LstmDenoiser"
    assert main(["init", network, "--size", "32x48", "-o", "lstm.yaml"]) == 0
    (state,) = load_recipe("lstm.yaml").input.states
    assert (state.argument, state.output) == ("state", ("1",))
    assert state.shape == {"tuple": [[1, 8, "H/2", "W/2"]] * 2}
    assert main(["recipe=lstm.yaml", "verify.runs=5", "verify.warmup=1"]) == 0
    assert main(["verify", "dist/lstm-0.1.0"]) == 0


def test_a_checkpoint_of_a_known_architecture(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    weights = REPO / "recipes" / "weights" / "mobilenetv3_student_m.safetensors"
    assert main(["init", str(weights), "--size", "64"]) == 0
    recipe = load_recipe("mobilenetv3_student_m.yaml")
    assert recipe.model.arch == "mobilenetv3_student" and recipe.model.kwargs["preset"] == "m"
    assert recipe.model.checkpoint == weights and make_plan(recipe)
    assert "random" not in capfd.readouterr().out
    first, *_ = (tmp_path / "mobilenetv3_student_m.yaml").read_text().splitlines()
    assert first.endswith("$schema=recipe.schema.json")
    schema = json.loads((tmp_path / "recipe.schema.json").read_text())
    assert mistakes_in("mobilenetv3_student_m.yaml", schema) == []


def test_what_does_not_go_through_is_commented_out_with_the_reason(capfd: pytest.CaptureFixture[str]) -> None:
    torch.save(Plain(8).state_dict(), "plain.pth")
    assert main(["init", f"{HERE}:Loud", "--checkpoint", "plain.pth", "--size", "32x48"]) == 0
    text = Path("Loud.yaml").read_text()
    assert "# tflite_int8 was wrong: parity" in text and "  # tflite_int8:  # for CPUs and NPUs" in text
    recipe = load_recipe("Loud.yaml")
    assert "onnx" in recipe.targets and "tflite_int8" not in recipe.targets


def test_no_file_is_overwritten(capfd: pytest.CaptureFixture[str]) -> None:
    Path("mine.yaml").write_text("mine")
    assert main(["init", f"{HERE}:Plain", "-o", "mine.yaml"]) == 2
    assert "mine.yaml is there already" in capfd.readouterr().err
    assert Path("mine.yaml").read_text() == "mine"
    Path("Plain.random.safetensors").write_text("weights")
    assert main(["init", f"{HERE}:Plain"]) == 2
    assert "Plain.random.safetensors is there already" in capfd.readouterr().err
    assert not Path("Plain.yaml").exists()


def test_a_network_without_any_target_gets_no_recipe(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["init", f"{HERE}:Raises"]) == 2
    assert main(["init", f"{HERE}:Plain", "-o", "no/such/folder/plain.yaml"]) == 2
    assert "no/such/folder is no folder" in capfd.readouterr().err
    assert not list(Path.cwd().iterdir())
