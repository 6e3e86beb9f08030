"""Recipes: overrides, extends, and every mistake with its YAML path."""

import pytest

from exporter.bundle.stored_verdict import pledges_of
from exporter.errors import RecipeError
from exporter.recipes.export import load_recipe
from exporter.runs.export import pledges
from tests.recipes.conftest import GOOD


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


def test_residency_is_in_the_resolved_recipe_only_where_it_is_promised(recipe_file):
    """So that a bundle of a recipe without it keeps its bytes."""
    keys = {"min_accelerated_share", "forbid_fallback"}
    assert not keys & {*load_recipe(recipe_file).resolved()["budget"]}
    told = {
        "budget.forbid_fallback": "true",
        "targets.torch.budget.min_accelerated_share": "{torch_cpu: 0.5}",
        "targets.torch.budget.forbid_fallback": "false",
    }
    recipe = load_recipe(recipe_file, told)
    tree = recipe.resolved()
    assert tree["budget"]["forbid_fallback"] is True and "min_accelerated_share" not in tree["budget"]
    own = tree["targets"]["torch"]["budget"]
    assert (own["forbid_fallback"], own["min_accelerated_share"]) == (False, {"torch_cpu": 0.5})
    assert pledges_of(tree) == pledges(recipe)


def test_extends_merges_and_finds_files_beside_the_parent(recipe_file, tmp_path):
    (tmp_path / "sub").mkdir()
    child = tmp_path / "sub" / "child.yaml"
    child.write_text("extends: ../demo.yaml\nname: child\ninput: {width: 512}\n")
    recipe = load_recipe(child)
    assert (recipe.name, recipe.input.width, len(recipe.stages)) == ("child", 512, 2)
    assert recipe.model.checkpoint == tmp_path / "weights.safetensors"


def test_a_value_stands_for_itself_alone(recipe_file, monkeypatch):
    """What a recipe says goes into bundles: nothing of the environment may come along."""
    monkeypatch.setenv("SECRET", "hunter2")
    for text in ("${oc.env:SECRET}", "${name}-2", "${", "a ${SECRET} b"):
        recipe_file.write_text(GOOD.replace("arch: mobile", f"source: '{text}', arch: mobile"))
        with pytest.raises(RecipeError, match=r"demo\.yaml:4: model\.source: '\$\{' is refused"):
            load_recipe(recipe_file)
        recipe_file.write_text(GOOD)
        with pytest.raises(RecipeError, match=r"^command line: description: '\$\{' is refused"):
            load_recipe(recipe_file, {"description": text})


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"distill.stepz": "5"}, r"stages\.distill\.stepz: unknown key; did you mean 'steps'\?"),
        ({"distil.steps": "5"}, r"^command line: distil\.steps: unknown key; did you mean 'distill\.steps'\?$"),
        ({"inptu.height": "5"}, r"inptu\.height: unknown key; did you mean 'input\.height'\?"),
        ({"distill": "{steps: 5}"}, r"distill is a stage; on the command line its options are distill\.OPTION=value"),
        ({"stages.distil.steps": "5"}, r"stages\.distil\.steps: 0 stages are named 'distil', .*mean 'distill'\?"),
        ({"targets.troch.budget.min_ssim": "0.9"}, r"targets\.troch: there is no such target; did you mean 'torch'\?"),
        ({"verify.rus": "5"}, r"verify\.rus: unknown key; did you mean 'runs'\?"),
        ({"targets.torch.budgett.x": "5"}, r"targets\.torch\.budgett: unknown key; did you mean 'budget'\?"),
        (
            {"targets.torch.budget.min_parity": "5"},
            r"budget\.min_parity: unknown key; did you mean 'min_parity_db'\?",
        ),
        ({"prune.ratio": "lots"}, r"stages\.prune\.ratio: .*got 'lots'"),
        ({"model.checkpoint": "gone.pt"}, r"model\.checkpoint: there is no gone\.pt"),
        ({"name": "a/b"}, r"name: "),
        ({"version": "1.0.missed"}, r"version: a version may not end in \.missed"),
        ({"targets.torch.also_on": "[torch_cpu]"}, r"targets\.torch: also_on: torch_cpu is named twice"),
        ({"targets.torch.also_on": "[a, b, a]"}, r"targets\.torch: also_on: a is named twice"),
        ({"name": "x" * 65}, r"name: .*at most 64"),
        ({"name": "train"}, r"name: 'train' is a folder of the exporter's own"),
        ({"input.height": "-1"}, r"input\.height: .*got -1"),
        ({"input.height": "1000000"}, r"input\.height: .*less than or equal to 16384"),
        ({"input": "{height: 16000, width: 16000}"}, r"input: 16000×16000 px are more than 34 megapixels"),
        ({"verify.threads": "100000000"}, r"verify\.threads: .*less than or equal to 1024"),
        ({"verify.latency_threads": "[1, 0]"}, r"verify\.latency_threads\.1: .*got 0"),
        ({"seed": str(2**64)}, r"seed: .*less than or equal to"),
        ({"seed": "9" * 5000}, r"seed=9+…: a number of 5000 digits"),
        ({"seed": "-1"}, r"seed: .*got -1"),
        ({"distill.learning_rate": ".inf"}, r"stages\.distill\.learning_rate: .*got inf"),
        ({"distill.pixel": "1e999"}, r"stages\.distill\.pixel: .*got inf"),
        ({"budget.min_gain_db": ".nan"}, r"budget\.min_gain_db: .*finite"),
        ({"model.range": "[1, 0]"}, r"model: range: 1 must be below 0"),
        ({"model.checkpoint": "x" * 400}, r"model\.checkpoint: x+… cannot be opened: File name too long"),
        ({"model.checkpoint": '"a\\0b"'}, r"control character U\+0000"),
        ({"description": "true"}, r"description: must be text, not True; write it in quotes"),
        ({"description": "null"}, r"description: is empty"),
        ({"stages": "5"}, r"^command line: stages: must be a list of stages, .*not 5$"),
        ({"stages": "quantize_onnx"}, r"^command line: stages: must be a list of stages, .*not text 'quantize_onnx'$"),
        ({"targets": "5"}, r"targets: must be key: value lines, not 5"),
        ({"targets.torch": "torch_cpu"}, r"targets\.torch: must be key: value lines, not text 'torch_cpu'"),
        ({"targets.torch.also_on": "litert_gpu"}, r"also_on: must be a list, such as \[a, b\], not text 'litert_gpu'"),
        ({"input": "[256, 256]"}, r"input: must be key: value lines, not a list"),
        ({"prune.keep": "head"}, r"stages\.prune\.keep: must be a list"),
        ({"targets.a/b.runtime": "torch_cpu"}, r"command line: targets\.a/b: "),
        ({"targets.input.runtime": "torch_cpu"}, r"targets\.input: 'input' names the picture that goes in"),
        ({"targets.Torch.runtime": "torch_cpu"}, r"targets\.torch and targets\.Torch are one name"),
        ({"name.x": "5"}, r"name\.x: name is text 'demo', it has no options"),
        ({"stages.0": "5"}, r"stages\.0: stages is a list"),
        ({"a..b": "5"}, r"'a\.\.b' is no key"),
        ({".": "5"}, r"'\.' is no key"),
        ({"distill.steps": "[1,2"}, r"^distill\.steps=\[1,2: did not find expected"),
        ({"distill.steps": "{a"}, r"^distill\.steps=\{a: did not find expected"),
        ({"distill.steps": "[1,2]"}, r"stages\.distill\.steps: must be a valid integer, got \[1, 2\]"),
        ({"model.kwargs": "{a: 1, a: 2}"}, r"'a' is there twice"),
        ({"budget.min_accelerated_share": "2"}, r"budget\.min_accelerated_share: must be a share, 0 to 1, .*got 2"),
        ({"budget.forbid_fallback": "litert_gpu"}, r"budget\.forbid_fallback: must be true, false or a list"),
        ({"budget.forbid_fallback": "[litert_gpu]"}, r"budget\.forbid_fallback: no target runs on litert_gpu"),
        (
            {"targets.torch.budget.min_accelerated_share": "{litert_gpu: 1}"},
            r"targets\.torch: budget\.min_accelerated_share: litert_gpu is neither its runtime nor in also_on",
        ),
        ({"model.kwargs": "{a: !!python/name:os.system x}"}, r"tag .* is refused"),
    ],
)
def test_each_mistake_names_its_path(recipe_file, words, says):
    with pytest.raises(RecipeError, match=says):
        load_recipe(recipe_file, words)


def test_a_string_of_stages_is_one_mistake(recipe_file):
    text = GOOD.replace("stages:\n  - prune\n  - distill: {steps: 7, learning_rate: 1e-4}", "stages: quantize_onnx")
    recipe_file.write_text(text.replace("torch_cpu,", "torch_cpu, stages: quantize_onnx,"))
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe_file)
    assert str(caught.value).count("must be a list of stages") == 2
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("text", "means"),
    [("a: b: c", "a: b: c"), ("", None), ("no", "no"), ("- x", "- x"), ("#1", "#1"), ("'5'", "5"), ("a=b", "a=b")],
)
def test_a_word_of_the_command_line_is_text_unless_it_looks_like_a_value(recipe_file, text, means):
    if means is None:
        with pytest.raises(RecipeError, match="description: is empty"):
            load_recipe(recipe_file, {"description": text})
    else:
        assert load_recipe(recipe_file, {"description": text}).description == means


def test_numbers_are_text_as_written_where_text_is_wanted(recipe_file):
    recipe_file.write_text(GOOD.replace("0.1.0", "1.10") + "description: 007\n")
    recipe = load_recipe(recipe_file)
    assert (recipe.version, recipe.description) == ("1.10", "007")
    assert type(load_recipe(recipe_file, {"distill.learning_rate": "1.0e-4"}).stages[1].learning_rate) is float


def test_words_that_yaml_1_1_changes(recipe_file):
    """`no` is Norway where text is wanted and false where a truth is; 010 is ten; 1:30 is no number."""
    recipe_file.write_text(GOOD + "description: no\nverify: {demand_all: no, runs: 010}\n")
    recipe = load_recipe(recipe_file)
    assert (recipe.description, recipe.verify.demand_all, recipe.verify.runs) == ("no", False, 10)
    with pytest.raises(RecipeError, match="got '1:30'"):
        load_recipe(recipe_file, {"distill.steps": "1:30"})


def test_a_loop_of_recipes_is_named(tmp_path):
    for name, parent in (("a", "b"), ("b", "c"), ("c", "b")):
        (tmp_path / f"{name}.yaml").write_text(f"extends: {parent}.yaml\n")
    with pytest.raises(RecipeError, match=r"extends itself: b\.yaml → c\.yaml → b\.yaml"):
        load_recipe(tmp_path / "a.yaml")


def test_mistakes_in_a_parent_name_the_parents_line(recipe_file, tmp_path):
    child = tmp_path / "child.yaml"
    child.write_text("extends: demo.yaml\nname: child\nstages:\n  - distill: {stepz: 1}\n")
    recipe_file.write_text(GOOD.replace("min_gain_db", "min_gain"))
    with pytest.raises(RecipeError) as caught:
        load_recipe(child)
    assert "child.yaml:4: stages.distill.stepz: unknown key" in str(caught.value)
    assert "demo.yaml:11: budget.min_gain: unknown key" in str(caught.value)
    recipe_file.write_text(GOOD + "name: again\n")
    with pytest.raises(RecipeError, match=r"demo\.yaml:12: 'name' is there twice"):
        load_recipe(child)


def test_a_file_that_is_no_recipe_is_not_read(tmp_path):
    (tmp_path / "large.yaml").write_bytes(b"a" * 1_000_001)
    (tmp_path / "utf16.yaml").write_text(GOOD, encoding="utf-16")
    for name, says in (("large", "larger than 1000000 bytes"), ("utf16", "not text in UTF-8")):
        with pytest.raises(RecipeError, match=says):
            load_recipe(tmp_path / f"{name}.yaml")
    for name in ("x" * 400 + ".yaml", "", "a\0b", str(tmp_path), "/dev/zero"):
        with pytest.raises(RecipeError, match="no such file"):
            load_recipe(name)


def test_all_mistakes_come_at_once(recipe_file):
    with pytest.raises(RecipeError) as caught:
        load_recipe(recipe_file, {"distill.stepz": "5", "verify.rus": "5", "prune.ratio": "2"})
    assert all(word in str(caught.value) for word in ("stepz", "rus", "prune.ratio"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a\n- b\n", "holds a list, not a recipe"),
        ("", "holds nothing, not a recipe"),
        ("5\n", "holds 5, not a recipe"),
        ("name: [\n", r"demo\.yaml:1: did not find expected"),
        ("name: a\nextends: gone.yaml\n", r"demo\.yaml:2: extends: there is no .*gone.yaml"),
        ("extends: demo.yml\n", r"there is no .*demo.yml\n  hint: did you mean demo\.yaml\?"),
        ("extends: [a, b]\n", r"demo\.yaml:1: extends: takes one file name, not \['a', 'b'\]"),
        ("extends: demo.yaml\n", "extends itself: demo.yaml → demo.yaml"),
        (GOOD + "seed: 1\nseed: 2\n", r"demo\.yaml:13: 'seed' is there twice, in lines 12 and 13"),
        (GOOD.replace("db: 40", "db: 40, min_parity_db: 20"), r"demo\.yaml:10: 'min_parity_db' is there twice"),
        (GOOD + "budget: {}\n", r"'budget' is there twice, in lines 11 and 12"),
        (GOOD.replace("torch:", "a/b:"), r"^\S*demo\.yaml:10: targets\.a/b: "),
        (GOOD.replace("torch:", "input:"), r"^\S*demo\.yaml:10: targets\.input: 'input' names"),
        (GOOD.replace("- prune", "- prune: []"), r"demo\.yaml:7: stages\.prune: must be key: value lines, not a list"),
        (
            GOOD.replace("- prune", "- prune: {}\n    distill: {}"),
            r"demo\.yaml:7: stages\.0: must be a stage's name or one",
        ),
        (GOOD.replace("- prune", "- 5"), r"demo\.yaml:7: stages\.0: must be a stage's name or one .*not 5"),
        (GOOD.replace("demo", "de\x1bmo"), r"control character U\+001B"),
        (GOOD.replace("- prune", "- prun"), r"yaml:7: stages\.0: no stage is named 'prun'; did you mean 'prune'\?"),
        (GOOD.replace("targets:", "targets: []\nx:"), "targets: must be key: value lines, not a list"),
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
