"""Recipes: overrides, extends, interpolation, and every mistake with its YAML path."""

from pathlib import Path

import pytest

from exporter.errors import RecipeError
from exporter.recipe import load_recipe

GOOD = """
name: demo
version: 0.1.0
model: {arch: mobilenetv3_student, checkpoint: weights.safetensors}
data: {calibration: set, evaluation: set, training: set}
stages:
  - prune
  - distill: {steps: 7, learning_rate: 1e-4}
targets:
  torch: {runtime: torch_cpu, budget: {min_parity_db: 40}}
budget: {min_gain_db: 0.5}
"""


@pytest.fixture
def recipe_file(tmp_path: Path) -> Path:
    (tmp_path / "set").mkdir()
    (tmp_path / "weights.safetensors").write_bytes(b"x")
    path = tmp_path / "demo.yaml"
    path.write_text(GOOD)
    return path


def test_overrides_reach_stages_targets_and_plain_keys(recipe_file):
    words = {
        "distill.steps": "50",
        "prune.ratio": "0.5",
        "targets.torch.budget.min_parity_db": "45",
        "input.height": "720",
    }
    recipe = load_recipe(recipe_file, words)
    prune, distill = recipe.stages
    assert (distill.steps, distill.learning_rate, prune.ratio) == (50, 1e-4, 0.5)
    assert recipe.targets["torch"].budget.min_parity_db == 45
    assert recipe.input.height == 720


def test_a_stage_can_be_addressed_through_its_list(recipe_file):
    assert load_recipe(recipe_file, {"stages.distill.steps": "9"}).stages[1].steps == 9


def test_the_target_budget_lies_over_the_recipe_budget(recipe_file):
    budget = load_recipe(recipe_file).budget_of("torch")
    assert (budget.min_parity_db, budget.min_gain_db) == (40, 0.5)


def test_extends_merges_and_finds_files_beside_the_parent(recipe_file, tmp_path):
    (tmp_path / "sub").mkdir()
    child = tmp_path / "sub" / "child.yaml"
    child.write_text("extends: ../demo.yaml\nname: child\ninput: {width: 512}\n")
    recipe = load_recipe(child)
    assert (recipe.name, recipe.input.width, len(recipe.stages)) == ("child", 512, 2)
    assert recipe.model.checkpoint == tmp_path / "weights.safetensors"


def test_interpolation(recipe_file):
    recipe_file.write_text(GOOD.replace("version: 0.1.0", "version: ${name}-2"))
    assert load_recipe(recipe_file).version == "demo-2"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"distill.stepz": "5"}, r"stages\.distill\.stepz: unknown key; did you mean 'steps'\?"),
        ({"distil.steps": "5"}, r"distil: unknown key"),
        ({"verify.rus": "5"}, r"verify\.rus: unknown key; did you mean 'runs'\?"),
        ({"targets.torch.budgett.x": "5"}, r"targets\.torch\.budgett: unknown key; did you mean 'budget'\?"),
        (
            {"targets.torch.budget.min_parity": "5"},
            r"budget\.min_parity: unknown key; did you mean 'min_parity_db'\?",
        ),
        ({"prune.ratio": "lots"}, r"stages\.prune\.ratio: .*got 'lots'"),
        ({"model.checkpoint": "gone.pt"}, r"model\.checkpoint: there is no gone\.pt"),
        ({"name": "a/b"}, r"name: "),
        ({"input.height": "-1"}, r"input\.height: .*got -1"),
    ],
)
def test_each_mistake_names_its_path(recipe_file, words, says):
    with pytest.raises(RecipeError, match=says):
        load_recipe(recipe_file, words)


def test_all_mistakes_come_at_once(recipe_file):
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe_file, {"distill.stepz": "5", "verify.rus": "5", "prune.ratio": "2"})
    assert all(word in str(caught.value) for word in ("stepz", "rus", "prune.ratio"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a\n- b\n", "holds list, not a recipe"),
        ("name: [\n", "is not YAML"),
        ("extends: gone.yaml\n", "there is no .*gone.yaml"),
        ("extends: demo.yaml\n", "extends itself"),
        (GOOD.replace("- prune", "- prun"), r"stages\.0: no stage is named 'prun'; did you mean 'prune'\?"),
        (GOOD.replace("version: 0.1.0", "version: ${nothing}"), "nothing"),
        (GOOD.replace("targets:", "targets: []\nx:"), "targets must be"),
    ],
)
def test_a_broken_file_is_one_sentence(recipe_file, text, says):
    recipe_file.write_text(text)
    with pytest.raises(RecipeError, match=says):
        load_recipe(recipe_file)


def test_an_unknown_recipe_lists_what_is_there(tmp_path, monkeypatch):
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "mobile_deblur.yaml").write_text(GOOD)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match="did you mean recipe=mobile_deblur.yaml"):
        load_recipe("mobile_debluR.yaml")


def test_resolved_holds_no_absolute_path(recipe_file, monkeypatch):
    monkeypatch.chdir(recipe_file.parent)
    tree = load_recipe(recipe_file).resolved()
    assert tree["model"]["checkpoint"] == "weights.safetensors"
    assert str(recipe_file.parent) not in str(tree)
    assert tree["stages"][1]["distill"]["steps"] == 7
