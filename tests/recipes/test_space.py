"""Search spaces: what they may say, and every mistake with its line."""

from pathlib import Path

import pytest

from exporter.errors import RecipeError
from exporter.recipes.export import load_recipe
from exporter.recipes.extending import changed_by, extending_text
from exporter.recipes.schema import recipe_schema, schema_line
from exporter.recipes.space import find_space, load_space
from tests.conftest import REPO
from tests.recipes.schema import mistakes_in

SPACE = """objectives: [{target: torch, figure: gain_db}, {target: torch, figure: p50_ms}]
keys:
  prune.ratio: {number: [0.1, 0.5], step: 0.1}
  distill.steps: {integer: [1, 64], log: true}
  distill.kwargs.preset: [s, m]
together:
  rate:
    slow: {distill.learning_rate: 1.0e-5, distill.batch: 4}
    usual: {}
"""
SHIPPED = sorted((REPO / "recipes" / "spaces").glob("*.yaml"))


@pytest.fixture
def space_file(recipe_file: Path) -> Path:
    path = recipe_file.parent / "spaces" / recipe_file.name
    path.parent.mkdir()
    path.write_text(SPACE)
    return path


def test_a_point_is_what_a_command_line_would_say(recipe_file, space_file):
    space = load_space(find_space(recipe_file, None), recipe_file, {})
    point = {"rate": "slow", "prune.ratio": 0.3, "distill.steps": 5, "distill.kwargs.preset": "m"}
    words = space.words_of(point)
    assert list(words) == ["distill.learning_rate", "distill.batch", *space.keys], "alternatives go first"
    prune, distill = load_recipe(recipe_file, words).stages
    assert (prune.ratio, distill.steps, distill.kwargs, distill.batch) == (0.3, 5, {"preset": "m"}, 4)
    assert [objective.way for objective in space.objectives] == ["maximize", "minimize"]


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        ("prune.ratio", "prun.ratio", r"demo\.yaml:3: prun\.ratio: unknown key; did you mean 'prune\.ratio'\?"),
        ("distill.steps", "distill.stepz", r"demo\.yaml:4: stages\.distill\.stepz: unknown key; .*'steps'"),
        ("0.5]", "1.5]", r"demo\.yaml:3: stages\.prune\.ratio: must be less than 1, got 1\.5"),
        ("figure: gain_db", "figure: gian_db", r"demo\.yaml:1: .*no figure is named 'gian_db'; did you mean 'gain_db'"),
        ("figure: p50_ms", "figure: p50_ms, direction: up", r"direction: must be 'minimize' or 'maximize', got 'up'"),
        ("{target: torch, figure: p50", "{target: troch, figure: p50", r"no target 'troch'; did you mean 'torch'"),
        ("figure: p50_ms", "figure: gain_db", r"objectives: one figure of a target stands there twice"),
        ("{number:", "{nubmer:", r"keys\.prune\.ratio\.nubmer: unknown key; did you mean 'number'\?"),
        ("[0.1, 0.5]", "[0.5, 0.1]", r"the lowest, 0\.5, has to be below the highest, 0\.1"),
        ("step: 0.1", "step: 0.3", r"from 0\.1 no steps of 0\.3 lead to 0\.5"),
        ("step: 0.1", "step: 0.1, log: true", r"log wants a lowest above zero and no step"),
        ("integer: [1, 64]", "integer: [0, 64]", r"log wants a lowest above zero"),
        ("{number: [0.1, 0.5], step: 0.1}", "{}", r"takes one of choice, integer and number, such as"),
        ("[s, m]", "[]", r"demo\.yaml:5: .*takes one of choice"),
        ("distill.batch", "distil.batch", r"demo\.yaml:8: distil\.batch: unknown key; did you mean 'distill\.batch'"),
        ("    usual: {}\n", "", r"together\.rate: has to have two alternatives at least"),
        ("keys:", "trials: {verify.rus: 5}\nkeys:", r"verify\.rus: unknown key; did you mean 'runs'"),
        ("keys:", "targets: [torhc]\nkeys:", r"there is no target 'torhc'; did you mean 'torch'"),
        ("keys:", "objectivs: 1\nkeys:", r"demo\.yaml:2: objectivs: unknown key; did you mean 'objectives'\?"),
        ("distill.kwargs.preset: [s, m]", "distill: [{steps: 1}]", r"distill is a stage; .*distill\.OPTION=value"),
        (SPACE, "objectives: []", r"objectives: .*at least 1"),
        (SPACE, "objectives: [{target: torch, figure: ssim}]", r"there is nothing to search: name some keys"),
        (SPACE, "keys: !!python/name:os.system x", r"tag .* is refused"),
    ],
)
def test_each_mistake_names_its_line(recipe_file, space_file, right, wrong, says):
    assert right in SPACE
    space_file.write_text(SPACE.replace(right, wrong, 1))
    with pytest.raises(RecipeError, match=says):
        load_space(space_file, recipe_file, {})


def test_a_key_is_searched_or_given_and_not_both(recipe_file, space_file):
    with pytest.raises(RecipeError, match=r"keys\.distill\.steps: is searched, and given on the command line, too"):
        load_space(space_file, recipe_file, {"distill.steps": "9"})


def test_a_space_that_is_not_there(recipe_file, space_file):
    with pytest.raises(RecipeError, match=r"space=dem\.yaml: no such file\n  hint: did you mean space=demo\.yaml\?"):
        find_space(recipe_file, "dem.yaml")
    assert find_space(recipe_file, "demo.yaml") == space_file
    space_file.unlink()
    with pytest.raises(RecipeError, match=r"demo\.yaml has no search space"):
        find_space(recipe_file, None)


@pytest.mark.parametrize("space", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_a_shipped_space_fits_its_recipe_and_its_schema(space: Path) -> None:
    assert space.read_text().startswith(schema_line("space").replace("=space", "=../space") + "\n")
    assert mistakes_in(space, recipe_schema("space")) == []
    load_space(space, REPO / "recipes" / space.name, {})


def test_what_was_changed_is_a_recipe_that_extends_the_other(recipe_file, tmp_path):
    folder = tmp_path / "build" / "deep"
    folder.mkdir(parents=True)
    words = {"distill.steps": "5", "input.width": "512", "version": '"1-trial3"'}
    assert list(changed_by(recipe_file, words)) == ["version", "stages", "input"]
    (folder / "found.yaml").write_text(extending_text(recipe_file, folder, words, ["from trial 3"]))
    assert load_recipe(folder / "found.yaml").resolved() == load_recipe(recipe_file, words).resolved()


def test_a_mapping_that_loses_a_key_cannot_be_said_by_extending(recipe_file):
    recipe_file.write_text(recipe_file.read_text().replace("checkpoint:", "kwargs: {preset: m}, checkpoint:"))
    with pytest.raises(RecipeError, match=r"model\.kwargs is replaced, and model\.kwargs\.preset gone"):
        changed_by(recipe_file, {"model.kwargs": "{activation: relu}"})
