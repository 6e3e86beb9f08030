"""How a network is called: outputs, constants, colour and frames, as a recipe says them."""

import pytest

from exporter.errors import RecipeError
from exporter.recipes.export import load_recipe
from exporter.recipes.plan import make_plan


@pytest.mark.parametrize(
    ("written", "means"),
    [("1", ("1",)), ("-1", ("-1",)), ("1.0", ("1", "0")), ("image.0", ("image", "0")), ("[deep, 1]", ("deep", "1"))],
)
def test_the_way_to_an_output_is_written_as_one_thinks_of_it(recipe_file, written, means):
    assert load_recipe(recipe_file, {"model.output": written}).model.output == means


def test_constants_of_forward_are_numbers_lists_maps_and_words(recipe_file):
    words = {
        "model.inputs": "{sigma: 0.06, scale: [[1, 2]], mode: fast, clip: true, mask: null}",
        "model.inputs.map": "{fill: 0.5, shape: [1, 1, H, W]}",
    }
    inputs = load_recipe(recipe_file, words).model.inputs
    assert inputs["sigma"] == 0.06 and inputs["scale"] == [[1, 2]] and inputs["mask"] is None
    assert inputs["map"] == {"fill": 0.5, "shape": [1, 1, "H", "W"]}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"model.output": "{a: 1}"}, "model.output: names one of the network's outputs"),
        ({"model.inputs": "{k: [[1, 2], [3]]}"}, "model.inputs.k: its rows differ in length"),
        ({"model.inputs": "{k: {fill: 1}}"}, "model.inputs.k: knows fill and shape"),
        ({"model.inputs": "{k: {fill: 1, shape: [1, D]}}"}, "a side is a whole number, H or W, not 'D'"),
        ({"model.inputs": "{k: [a]}"}, "model.inputs.k: holds 'a', which is no finite number"),
        ({"input.frames": "99"}, "input.frames: .*less than or equal to 64"),
        ({"input.colour": "cmyk"}, "input.colour: .*rgb"),
    ],
)
def test_what_a_network_cannot_be_given_is_said_with_its_place(recipe_file, words, says):
    with pytest.raises(RecipeError, match=says):
        load_recipe(recipe_file, words)


def test_how_a_network_is_called_is_resolved_only_where_it_is_said(recipe_file):
    plain, said = load_recipe(recipe_file), load_recipe(recipe_file, {"model.output": "1", "input.colour": "grey"})
    assert {"output", "inputs", "extra_channels", "weights"}.isdisjoint(plain.resolved()["model"])
    assert set(plain.resolved()["input"]) == {"height", "width"}
    assert said.resolved()["model"]["output"] == ["1"] and said.resolved()["input"]["colour"] == "grey"


def test_the_part_of_a_checkpoint_reaches_the_stage_that_loads_it(recipe_file):
    recipe = load_recipe(recipe_file, {"model.weights": "derain.model"})
    assert recipe.resolved()["model"]["weights"] == "derain.model"
    assert {str(chain.stages[0].weights) for chain in make_plan(recipe)} == {"derain.model"}
