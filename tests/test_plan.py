"""Plans: every mismatch is found before any work."""

import pytest

from exporter.errors import PlanError
from exporter.plan import make_plan
from exporter.recipe import load_recipe
from tests.test_recipe import GOOD, recipe_file  # noqa: F401


def planned(path, **words):
    return make_plan(load_recipe(path, {key.replace("__", "."): value for key, value in words.items()}))


def test_one_chain_per_target(recipe_file):  # noqa: F811
    (chain,) = planned(recipe_file)
    assert [stage.name for stage in chain.stages] == ["load_generator", "prune", "distill"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            {"targets__torch__runtime": "torch_cp"},
            r"no runtime is named 'torch_cp'; did you mean 'torch_cpu'",
        ),
        ({"targets__torch__runtime": "litert_cpu"}, r"litert_cpu runs tflite, but the chain ends in torch"),
        ({"input__height": "100"}, r"input\.height: 100 is not a multiple of 16.*nearest: 96 or 112"),
        ({"data__training": "null"}, r"data\.training: is missing, prune trains on it"),
        ({"model__arch": "deblurgann"}, r"no architecture is named 'deblurgann'"),
    ],
)
def test_mismatches(recipe_file, words, says):  # noqa: F811
    with pytest.raises(PlanError, match=says):
        planned(recipe_file, **words)


def test_stages_in_the_wrong_order(recipe_file):  # noqa: F811
    recipe_file.write_text(GOOD.replace("- prune", "- simplify_onnx"))
    with pytest.raises(PlanError, match=r"stages\.simplify_onnx: takes onnx, but the model is torch by then"):
        planned(recipe_file)
