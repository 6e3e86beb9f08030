"""A run whose figures MLflow and TensorBoard keep: the same as report.json's, and never a reason to fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exporter.bundle import reproducible_files
from exporter.cli import main
from exporter.tracking.figures import figures_of
from exporter.training.history import History
from tests.recipes.recipe_folder import write_train_recipe
from tests.runs.command_line import assert_one_sentence
from tests.tracking.read_back import of_mlflow, of_tensorboard

pytestmark = [pytest.mark.extra("mlflow"), pytest.mark.extra("tensorboard")]
DATABASE = "sqlite:///{}/runs/mlflow.db"  # in full: MLflow keeps what it has opened, by its address


@pytest.mark.slow
def test_what_is_tracked_is_what_the_report_says(recipe: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from mlflow.tracking import MlflowClient

    assert main([f"recipe={recipe}"]) == 0
    untracked = reproducible_files(Path("dist/tiny-1.0"))
    assert main([f"recipe={recipe}", "track.mlflow=runs", "track.tensorboard=events"]) == 0
    assert reproducible_files(Path("dist/tiny-1.0")) == untracked
    said = capfd.readouterr().out
    assert "tracked: MLflow, runs: " in said and said.splitlines()[-1] == "exit code 0: the one promise is kept"

    report = json.loads(Path("dist/tiny-1.0/report/report.json").read_text())
    folders = {name: next(Path("build/tiny/stages").glob(f"{name}-*")) for name in ("prune", "distill")}
    sent = figures_of(report, {name: History(folder, name).lines() for name, folder in folders.items()})
    assert (
        "training/distill/pixel" in sent.numbers and "targets/torch/parity/worst_psnr_db" in sent.texts | sent.numbers
    )

    client = MlflowClient(tracking_uri=DATABASE.format(Path.cwd()))
    (run,) = client.search_runs([client.get_experiment_by_name("tiny").experiment_id])
    (events,) = Path("events").iterdir()
    assert of_mlflow(client, run.info.run_id) == of_tensorboard(events) == sent


@pytest.mark.slow
def test_a_tracker_that_is_down_costs_nothing(recipe: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([f"recipe={recipe}", "track.mlflow=http://127.0.0.1:9"]) == 0
    said = capfd.readouterr().out
    assert "warning: MLflow at 127.0.0.1:9 does not answer; the figures are tracked if it does at the end" in said
    assert "warning: the figures were not tracked by MLflow, 127.0.0.1:9" in said
    assert said.splitlines()[-1] == "exit code 0: the one promise is kept; the figures were not tracked"
    assert main(["verify", "dist/tiny-1.0"]) == 0
    capfd.readouterr()
    assert main(["plan", f"recipe={recipe}", "track.mlflow=http://127.0.0.1:9"]) == 0
    assert "warning: MLflow at 127.0.0.1:9 does not answer" in capfd.readouterr().out
    capfd.readouterr()
    assert main(["--json", f"recipe={recipe}", "track.mlflow=http://127.0.0.1:9"]) == 0
    (tracked,) = json.loads(capfd.readouterr().out)["tracked"]
    assert tracked["tracker"] == "MLflow" and tracked["run"] == "" and tracked["problem"]


@pytest.mark.slow
def test_a_training_is_tracked_by_its_card_and_its_curve(
    tmp_path: Path, photo_folder: Path, pair_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.tracking import MlflowClient

    monkeypatch.chdir(tmp_path)
    recipe = write_train_recipe(tmp_path, photo_folder)
    words = [f"data.evaluation={pair_folder}", "data.height=64", "data.width=64", "training.validate_every=1"]
    assert main(["train", f"recipe={recipe}", *words, "track.mlflow=runs"]) == 0
    (card,) = Path("build/train").glob("*/card.json")
    name = card.parent.name
    sent = figures_of(json.loads(card.read_text()), {name: History(card.parent, name).lines()})
    assert len(sent.numbers[f"training/{name}/gain_db"]) == 3
    client = MlflowClient(tracking_uri=DATABASE.format(Path.cwd()))
    (run,) = client.search_runs([client.get_experiment_by_name(name).experiment_id])
    assert of_mlflow(client, run.info.run_id) == sent
    assert main(["train", f"recipe={recipe}", *words]) == 0  # without it, it is the same training


def test_plan_finds_a_tracker_that_is_wrong(recipe: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("file").touch()
    assert main(["plan", f"recipe={recipe}", "track.tensorboard=file"]) == 2
    assert_one_sentence(capfd.readouterr().err, "track.tensorboard: file is a file, not a folder", 2)
