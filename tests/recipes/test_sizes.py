"""`input.sizes`: how it is written, and what it cannot be."""

import pytest

from exporter.errors import RecipeError
from exporter.recipes.export import load_recipe
from exporter.recipes.input import Input


def test_the_first_size_is_the_main_one():
    given = Input(sizes=["256x256", "720×1280", [512, 512]])
    assert (given.height, given.width) == (256, 256)
    assert given.sizes == ((256, 256), (720, 1280), (512, 512))
    written = given.model_dump(mode="json")
    assert written == {"height": 256, "width": 256, "sizes": ["256x256", "720x1280", "512x512"]}
    assert Input.model_validate(written) == given


def test_a_recipe_of_one_size_says_nothing_of_several():
    assert Input(height=64, width=64).model_dump(mode="json") == {"height": 64, "width": 64}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("{sizes: [256x256, 512x512], height: 128}", "says height and width itself, the first of them; leave"),
        ("{sizes: [256x256]}", "is one size; write height and width"),
        ("{sizes: [256x256, 512x512, 256x256]}", "256x256 is there twice"),
        ("{sizes: [256x256, 512]}", "input.sizes"),
        ("{sizes: [256x256, 512by512]}", "a size is written height x width, such as 720x1280, not '512by512'"),
        ("{sizes: [256x256, 8x512]}", "input.sizes"),
        ("{sizes: [256x256, 16384x16384]}", "16384×16384 px are more than 34 megapixels"),
        ("{sizes: [256x256, 512x512], state: {h: {}}}", "a network that carries a state has one size"),
    ],
)
def test_what_is_no_list_of_sizes_is_said(recipe_file, given, says):
    with pytest.raises(RecipeError) as refused:
        load_recipe(recipe_file, {"input": given})
    assert says in str(refused.value)


def test_sizes_from_the_command_line(recipe_file):
    recipe = load_recipe(recipe_file, {"input.sizes": "[64x64, 96x128]"})
    assert recipe.resolved()["input"] == {"height": 64, "width": 64, "sizes": ["64x64", "96x128"]}
