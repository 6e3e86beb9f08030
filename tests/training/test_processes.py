"""Two real processes over gloo learn what one learns from the same batches."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from exporter.errors import RecipeError
from exporter.progress import Silent
from exporter.recipes.train import load_train_recipe
from exporter.runs.train import train
from tests.conftest import REPO

RECIPE = """
name: plain
seed: 4
model: {arch: "tests.training.plain_network:PlainNetwork"}
data: {training: PHOTOS, evaluation: PAIRS, height: 32, width: 32}
training: {steps: 60, batch: 4, crop_px: 32, learning_rate: 1.0e-2, warmup_steps: 2, device: cpu, validate_every: 30}
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory, photo_folder: Path, pair_folder: Path) -> Path:
    path = tmp_path_factory.mktemp("plain") / "plain.yaml"
    path.write_text(RECIPE.replace("PHOTOS", str(photo_folder)).replace("PAIRS", str(pair_folder)))
    return path


def torchrun(processes: int, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*command, "-m", "exporter", "train", *words],
        capture_output=True,
        text=True,
        cwd=REPO,
        env=environment,
        timeout=300,
    )


def curve(folder: Path, key: str) -> list[float]:
    return [line[key] for line in map(json.loads, (folder / "history.jsonl").read_text().splitlines())]


@pytest.mark.slow
def test_two_processes_follow_the_curve_of_one(recipe: Path, tmp_path: Path) -> None:
    train(load_train_recipe(recipe), tmp_path / "one", tmp_path / "pools", Silent())
    done = torchrun(2, f"recipe={recipe}", "training.adversarial=0", "--build", str(tmp_path / "build"))
    assert done.returncode == 0, done.stderr
    two = tmp_path / "build" / "train" / "plain"
    assert curve(two, "step") == curve(tmp_path / "one", "step") == [20, 30, 40, 60]
    for key in ("pixel", "frequency"):
        assert curve(two, key) == pytest.approx(curve(tmp_path / "one", key), rel=1e-4)
    assert curve(two, "pixel")[-1] != curve(two, "pixel")[0]
    cards = [json.loads((folder / "card.json").read_text()) for folder in (tmp_path / "one", two)]
    assert [card["processes"] for card in cards] == [1, 2]
    assert cards[0]["validation"]["psnr_db"] == pytest.approx(cards[1]["validation"]["psnr_db"], abs=0.02)
    weights = [torch_file(folder / "weights.safetensors") for folder in (tmp_path / "one", two)]
    for key, value in weights[0].items():
        assert torch.allclose(value, weights[1][key], atol=1e-4), key


@pytest.mark.slow
def test_two_processes_label_a_pool_as_one_does(recipe: Path, tmp_path: Path, narrow_teacher: Path) -> None:
    pool = "{pairs: 70, size_px: 32, labelled: true}"  # two shards, each of pairs and of labels
    words = {"data.pool": pool, "teacher": str(narrow_teacher), "data.evaluation": "null", "training.steps": "20"}
    train(load_train_recipe(recipe, words), tmp_path / "one", tmp_path / "pools", Silent())
    given = [f"{key}={value}" for key, value in words.items()]
    done = torchrun(2, f"recipe={recipe}", *given, "--build", str(tmp_path / "build"))
    assert done.returncode == 0, done.stderr
    one, two = (
        {path.name: path.read_bytes() for path in folder.rglob("*.safetensors")}
        for folder in (tmp_path / "pools", tmp_path / "build" / "pools")
    )
    assert one == two
    curves = [curve(folder, "teacher") for folder in (tmp_path / "one", tmp_path / "build" / "train" / "plain")]
    assert curves[0] == pytest.approx(curves[1], rel=1e-3)


def torch_file(path: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(path)


@pytest.mark.slow
def test_a_batch_that_cannot_be_shared_is_refused(recipe: Path, tmp_path: Path) -> None:
    done = torchrun(2, f"recipe={recipe}", "training.batch=3", "--build", str(tmp_path))
    assert done.returncode != 0
    assert "batch: 3 cannot be shared equally by 2 processes" in done.stderr
    assert not list(tmp_path.rglob("card.json"))


def test_a_folder_of_another_run_is_left_alone(recipe: Path, tmp_path: Path) -> None:
    few = {"training.steps": "2", "data.evaluation": "null"}
    train(load_train_recipe(recipe, few), tmp_path, tmp_path / "pools", Silent())
    weights = (tmp_path / "weights.safetensors").read_bytes()
    with pytest.raises(RecipeError, match="holds another run"):
        train(load_train_recipe(recipe, few | {"training.learning_rate": "1"}), tmp_path, tmp_path, Silent())
    assert (tmp_path / "weights.safetensors").read_bytes() == weights
