"""`verify.versions`: which LiteRT releases a recipe asks for."""

import pytest

from exporter.errors import RecipeError
from exporter.recipes.export import load_recipe
from exporter.recipes.measuring import Verification
from exporter.runtimes import LITERT_VERSIONS

ALL = tuple(release.name for release in LITERT_VERSIONS)


def test_all_are_written_out():
    """So that the bundle says which they were, whatever `all` means to a later exporter."""
    given = Verification(versions="all")
    assert given.versions == ALL and "litert_2.3.0" in ALL and "litert_compiled_cpu" in ALL
    assert given.model_dump(mode="json")["versions"] == list(ALL)


def test_a_recipe_that_asks_for_none_says_nothing_of_them():
    assert "versions" not in Verification().model_dump(mode="json")


def test_from_the_command_line(recipe_file):
    assert load_recipe(recipe_file, {"verify.versions": "all"}).verify.versions == ALL
    some = load_recipe(recipe_file, {"verify.versions": "[litert_2.3.0, tflite_runtime]"})
    assert some.resolved()["verify"]["versions"] == ["litert_2.3.0", "tflite_runtime"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("[litert_2.3]", "'litert_2.3' is no LiteRT release; did you mean 'litert_2.3.0'?; known: all, litert_2.1.0"),
        ("[litert_gpu]", "'litert_gpu' is no LiteRT release"),
        ("[litert_2.3.0, litert_2.3.0]", "litert_2.3.0 is named twice"),
        ("[3]", "3 is no LiteRT release"),
        ("some", "verify.versions"),
    ],
)
def test_what_is_no_release_is_said(recipe_file, given, says):
    with pytest.raises(RecipeError) as refused:
        load_recipe(recipe_file, {"verify.versions": given})
    assert says in str(refused.value)
