"""What is planned before anything starts: names, settings, and every mistake that a plan can find."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from exporter.errors import ExportError, RecipeError
from exporter.sweep import inputs
from exporter.sweep.exports import exports_of
from tests.recipes.conftest import GOOD, recipe_file  # noqa: F401


@pytest.fixture
def recipe(recipe_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    monkeypatch.chdir(recipe_file.parent)
    return recipe_file


def forget() -> None:
    """As a new process would."""
    inputs._file.cache_clear()
    inputs._folder.cache_clear()


def test_every_recipe_with_every_setting(recipe: Path) -> None:
    Path("other.yaml").write_text(GOOD.replace("name: demo", "name: other"))
    found = exports_of(["demo.yaml", "other.yaml"], {"version": "2"}, [{"distill.steps": "3"}, {"distill.steps": "4"}])
    names = ["demo--distill.steps-3", "demo--distill.steps-4", "other--distill.steps-3", "other--distill.steps-4"]
    assert [each.name for each in found] == names
    assert found[0].title == "demo distill.steps=3"
    assert found[0].overrides == {"version": "2", "distill.steps": "3"}
    assert [each.bundle_name for each in found] == ["demo", "demo", "other", "other"]
    assert {each.bundle_version for each in found} == {"2"}
    assert len({each.inputs for each in found}) == 4


def test_a_setting_of_any_signs_is_one_folder(recipe: Path) -> None:
    settings = [{"description": text} for text in ("a/../b", "a_.._b", "..", "x" * 300, "é", "e")]
    found = exports_of(["demo.yaml"], {}, settings)
    assert len({each.name for each in found}) == len(settings)
    for each in found:
        assert Path(each.name).name == each.name
        assert len(each.name) < 128
        assert each.name[0].isalnum()


@pytest.mark.parametrize(
    ("recipes", "shared", "settings", "says"),
    [
        (["gone.yaml"], {}, {}, "recipe=gone.yaml: no such file"),
        (["demo.yaml"], {}, {"distill.stepz": "3"}, "with distill.stepz=3: "),
        (["demo.yaml"], {}, {"distill.stepz": "3"}, "did you mean 'steps'"),
        (["demo.yaml"], {"seed": "1"}, {"seed": "2"}, "seed is given twice"),
        (["demo.yaml", "./demo.yaml"], {}, {}, "two exports of the sweep are called demo"),
        (["demo.yaml"], {"stages": "[quantize_tflite]"}, {}, "quantize_tflite"),
    ],
)
def test_a_mistake_is_found_before_anything_starts(
    recipe: Path, recipes: list[str], shared: dict[str, str], settings: dict[str, str], says: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        exports_of(recipes, shared, [settings])
    assert says in str(caught.value)
    assert caught.value.exit_code == 2


def test_inputs_are_all_that_a_result_depends_on(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def now(**overrides: str) -> str:
        forget()
        return exports_of(["demo.yaml"], overrides, [{}])[0].inputs

    first = now()
    assert now() == first
    assert now(seed="7") != first
    Path("weights.safetensors").write_bytes(b"y")
    assert now() != first
    Path("weights.safetensors").write_bytes(b"x")
    assert now() == first
    os.utime("set/3.png", (1, 1))
    touched = now()
    assert touched != first
    Path("set/9.png").touch()
    assert now() != touched
    before = now()
    for part in ("_exporter", "_packages"):
        with monkeypatch.context() as patch:
            patch.setattr(inputs, part, lambda: "another")
            assert now() != before
    assert now() == before


def test_a_network_of_the_users_own_is_an_input(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("own_network.py").write_text("class Net: ...\n")
    monkeypatch.syspath_prepend(str(recipe.parent))
    made = {"resolved": dict, "files": dict, "data": (), "user_classes": ["own_network:Net"]}
    found = dict(inputs._parts(SimpleNamespace(**made)))  # type: ignore[arg-type]
    assert "code own_network.py" in found["own_network:Net"]


def test_errors_keep_their_kind(recipe: Path) -> None:
    with pytest.raises(ExportError) as caught:
        exports_of(["demo.yaml"], {}, [{"data.calibration": "nowhere"}])
    assert "with data.calibration=nowhere" in str(caught.value)
