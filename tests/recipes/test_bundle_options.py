"""`bundle`: what goes along; a recipe that asks for nothing has nothing to say of it."""

import pytest

from exporter.errors import RecipeError
from exporter.recipes.export import load_recipe


def test_only_what_is_asked_for_is_said(recipe_file):
    assert "bundle" not in load_recipe(recipe_file).resolved()
    assert "bundle" not in load_recipe(recipe_file, {"bundle.web": "false"}).resolved()
    assert load_recipe(recipe_file, {"bundle.web": "true"}).resolved()["bundle"] == {"web": True}
    with pytest.raises(RecipeError, match="did you mean 'web'"):
        load_recipe(recipe_file, {"bundle.webb": "true"})
