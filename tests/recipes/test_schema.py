from __future__ import annotations

import json
from pathlib import Path

import pytest

from exporter.cli import main
from exporter.recipes.described import what_and_when
from exporter.recipes.schema import KINDS, recipe_schema, schema_line, schema_text
from tests.conftest import REPO
from tests.recipes.conftest import GOOD
from tests.recipes.schema import mistakes_in

RECIPES = REPO / "recipes"
SHIPPED = sorted(RECIPES.glob("*.yaml"))
CHILD = "extends: demo.yaml\nmodel: {kwargs: {preset: s}}\ntargets: {torch: {budget: {min_psnr_db: 30}}}\n"


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_that_lies_beside_the_recipes_is_the_codes(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--of", kind]) == 0
    printed = capfd.readouterr().out
    assert printed == schema_text(kind)
    command = f"exporter schema --of {kind} > recipes/{kind}.schema.json"
    assert (RECIPES / f"{kind}.schema.json").read_text() == printed, f"write it anew: {command}"


@pytest.mark.parametrize("recipe", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_a_shipped_recipe_names_its_schema_and_keeps_to_it(recipe: Path) -> None:
    kind = "train" if recipe.name.startswith("train_") else "recipe"
    assert recipe.read_text().startswith(schema_line(kind) + "\n")
    assert mistakes_in(recipe, recipe_schema(kind)) == []


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        CHILD,
        GOOD.replace("version: 0.1.0", "version: 1.0"),
        GOOD.replace("- prune\n", "- prune:\n  - torch_to_onnx: {exporter: dynamo}\n"),
        GOOD + "input: {sizes: [64x64, [128, 96]]}\n",
    ],
)
def test_what_a_recipe_may_say(text: str) -> None:
    assert mistakes_in(text, recipe_schema("recipe")) == []


@pytest.mark.parametrize(
    ("right", "wrong", "where"),
    [
        ("seed: 0", "sede: 0", "$: Additional properties are not allowed ('sede'"),
        ("name: demo\n", "", "$: 'name' is a required property"),
        ("name: demo", "name: a/b", "$.name: "),
        ("{arch: mobilenetv3_student, checkpoint: weights.safetensors}", "{arch: a}", "$.model: 'checkpoint' is a req"),
        ("evaluation: set, ", "", "$.data: 'evaluation' is a required"),
        ("- prune", "- prun", "$.stages[0]: "),
        ("- prune", "- prune: {ratio: 1.5}", "$.stages[0]: "),
        ("steps: 7", "steps: 0", "$.stages[1]: "),
        ("steps: 7", "stepz: 7", "$.stages[1]: "),
        ("steps: 7", "steps: many", "$.stages[1]: "),
        ("torch_cpu", "torch_cpuu", "$.targets.torch.runtime: 'torch_cpuu' is not one of"),
        ("runtime: torch_cpu, ", "", "$.targets.torch: 'runtime' is a required"),
        ("torch: {", "a/b: {", "$.targets: 'a/b' does not match"),
        ("min_parity_db: 40", "min_parity: 40", "$.targets.torch.budget: Additional"),
        ("min_gain_db: 0.5", "min_ssim: 2", "$.budget.min_ssim: "),
        ("budget: {min_gain_db: 0.5}", "budget: 5", "$.budget: 5 is not of type"),
    ],
)
def test_a_mistake_in_a_recipe(right: str, wrong: str, where: str) -> None:
    good = GOOD + "seed: 0\n"
    assert right in good
    (found,) = mistakes_in(good.replace(right, wrong, 1), recipe_schema("recipe"))
    assert found.startswith(where)


def test_a_child_recipe_may_leave_out_what_its_parent_says_and_nothing_else() -> None:
    assert mistakes_in(CHILD.replace("min_psnr_db: 30", "min_psnr: 30"), recipe_schema("recipe"))


def test_every_option_is_described_with_its_default_and_its_range() -> None:
    for kind in KINDS:
        for path, part in _described(recipe_schema(kind)):
            said = what_and_when(part.get("description", ""))
            assert all(said), f"{kind}: {path} wants one sentence what it is, another when to change it, not {said}"
    ratio = recipe_schema("recipe")["$defs"]["prune"]["properties"]["ratio"]
    assert (ratio["default"], ratio["exclusiveMinimum"], ratio["exclusiveMaximum"]) == (0.25, 0, 1)


def _described(schema: dict[str, object]):
    tree = json.loads(json.dumps(schema))
    for name, part in {"": tree, **tree["$defs"]}.items():
        for key, value in part.get("properties", {}).items():
            yield f"{name}.{key}", value
