"""Training recipes: every mistake with its YAML path."""

from dataclasses import asdict
from pathlib import Path

import pytest

from exporter.cli import main
from exporter.data.blur import BlurOptions
from exporter.errors import RecipeError
from exporter.recipes.train import Blur, load_train_recipe
from tests.conftest import REPO
from tests.recipes.recipe_folder import write_train_recipe


@pytest.fixture
def recipe(tmp_path: Path, photo_folder: Path) -> Path:
    return write_train_recipe(tmp_path, photo_folder)


def test_blur_in_a_recipe_is_the_blur_of_the_data_layer() -> None:
    assert Blur().model_dump() == asdict(BlurOptions())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"training.stepz": "5"}, r"training\.stepz: unknown key; did you mean 'steps'\?"),
        ({"data.blur.max_length": "5"}, r"data\.blur\.max_length: unknown key; did you mean 'max_length_px'\?"),
        ({"data.blur.min_length_px": "50"}, r"data\.blur: min_length_px 50 is above max_length_px 28"),
        ({"data.training": "gone"}, r"data\.training\.0: there is no gone"),
        ({"data.training": "[]"}, r"data\.training: .*at least 1"),
        ({"model.init": "gone.pt"}, r"model\.init: there is no gone\.pt"),
        ({"training.crop_px": "33"}, r"training\.crop_px: .*got 33"),
        ({"training.device": "tpu"}, r"training\.device: .*got 'tpu'"),
        ({"training.feature": "0.1"}, r"training\.feature is 0\.1, but there is no teacher"),
        ({"training.perceptual": "0.1"}, r"training\.perceptual is 0\.1, but there is neither"),
        ({"data.pool.pairs": "5"}, r"data\.pool\.size_px: is missing"),
        ({"data.pool.pairs": "5", "data.pool.size_px": "32", "training.crop_px": "64"}, r"training\.crop_px needs 64"),
        (
            {"data.pool": "{pairs: 5, size_px: 64, labelled: true}"},
            r"data\.pool\.labelled needs a teacher, and training\.teacher above 0",
        ),
        (
            {"data.tiles": "{count: 5, size_px: 64}"},
            r"data\.tiles\.size_px is 64, training\.crop_px and data\.blur\.max_length_px need 104",
        ),
        (
            {"data.pool": "{pairs: 5, size_px: 64}", "data.tiles": "{count: 5, size_px: 128}"},
            r"data: pool and tiles are two ways to keep pairs: name one",
        ),
        ({"name": "a/b"}, r"name: "),
        ({"model.arch": "os:system"}, r"model\.arch: os:system is of Python's own library"),
        ({"model.arch": "srvg"}, r"model\.arch: no architecture is named 'srvg'; did you mean 'srvgg'"),
        ({"model.kwargs.preset": "zzz"}, r"model\.kwargs\.preset: must be 's' or"),
    ],
)
def test_each_mistake_names_its_path(recipe: Path, words: dict[str, str], says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        load_train_recipe(recipe, words)


def test_an_export_recipe_is_recognised(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="this is an export recipe"):
        load_train_recipe(REPO / "recipes" / "mobile_deblur.yaml")


def test_mistakes_exit_with_2(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", f"recipe={recipe}", "training.stepz=5"]) == 2
    assert "did you mean 'steps'" in capsys.readouterr().err


def test_what_a_crop_needs_of_a_tile_is_what_the_recipe_asks_for() -> None:
    from exporter.training.tiles import least_tile_px

    assert least_tile_px(32, BlurOptions()) == 104
