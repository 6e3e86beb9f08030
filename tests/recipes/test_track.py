"""`track:` in a recipe: an address may hold no secret, and a bundle knows nothing of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.errors import RecipeError
from exporter.recipes.export import load_recipe
from exporter.recipes.train import load_train_recipe
from tests.conftest import REPO
from tests.recipes.recipe_folder import write_recipe_folder

SECRET = "s3cr3t"


@pytest.fixture
def recipe(tmp_path: Path, student_file: Path) -> Path:
    return write_recipe_folder(tmp_path, student_file)


def test_a_bundle_knows_nothing_of_it(recipe: Path) -> None:
    tracked = load_recipe(recipe, {"track.mlflow": "https://mlflow.example/a", "track.tensorboard": "events"})
    assert tracked.track.mlflow == "https://mlflow.example/a" and tracked.track.tensorboard == Path("events")
    assert tracked.resolved() == load_recipe(recipe).resolved()
    train = REPO / "recipes" / "train_deblurgan_v2.yaml"
    known = {"data.training": str(recipe.parent / "training"), "data.evaluation": "null"}
    assert (
        load_train_recipe(train, known | {"track.mlflow": "runs"}).resolved()
        == load_train_recipe(train, known).resolved()
    )


@pytest.mark.parametrize(
    ("store", "says"),
    [
        (f"https://anna:{SECRET}@mlflow.example", "MLFLOW_TRACKING_PASSWORD"),
        (f"https://{SECRET}@mlflow.example", "MLFLOW_TRACKING_TOKEN"),
        (f"https://mlflow.example/?token={SECRET}", "may hold no user, password or query"),
        (f"https://mlflow.example:{SECRET}/", "no address"),
        (f"postgresql://anna:{SECRET}@host/db", r"takes a folder, or the http\(s\) address of a server"),
        (f"http://{SECRET}[", "no address"),
        ("[a]", "must be text"),
    ],
)
def test_an_address_with_a_secret_is_refused_and_not_repeated(recipe: Path, store: str, says: str) -> None:
    with pytest.raises(RecipeError, match=says) as refused:
        load_recipe(recipe, {"track.mlflow": store})
    assert SECRET not in str(refused.value)


def test_events_go_into_a_folder(recipe: Path) -> None:
    with pytest.raises(RecipeError, match="takes a folder, no address") as refused:
        load_recipe(recipe, {"track.tensorboard": f"https://anna:{SECRET}@host"})
    assert SECRET not in str(refused.value)
