"""Plans: every mismatch is found before any work."""

import pytest

from exporter.cli import main
from exporter.errors import PlanError, RecipeError
from exporter.recipes.export import load_recipe
from exporter.recipes.plan import CHECKED, LEFT, make_plan
from tests.recipes.conftest import GOOD


@pytest.fixture(autouse=True)
def folders(tmp_path):
    for name, count in (("few", 3), ("empty", 0), ("odd", 9)):
        (tmp_path / name).mkdir()
        for i in range(count):
            (tmp_path / name / f"{i}.jpg").touch()
    (tmp_path / "odd" / "deep" / "x.png").mkdir(parents=True)


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
        (
            {"targets__torch__also_on": "[torch_cuda]", "targets__torch__budget__min_parity_db": "null"},
            r"targets\.torch\.also_on: torch_cuda proves min_parity_db or min_accelerated_share or",
        ),
        ({"data__training": "null"}, r"data\.training: is missing, prune trains on it"),
        (
            {"input__sizes": "[256x256, 720x1290]", "stages": "[torch_to_onnx, onnx_to_tflite]"},
            r"input\.sizes\.1, width: 1290 is not a multiple of 16.*nearest: 1280 or 1296",
        ),
        (
            {
                "input__sizes": "[256x256, 512x512]",
                "stages": "[torch_to_onnx]",
                "targets__torch__runtime": "onnxruntime_cpu",
            },
            r"targets\.torch: the chain ends in onnx; several sizes in one file .*input\.sizes.* are for \.tflite",
        ),
        (
            {"model__arch": "deblurgann"},
            r"model\.arch: no architecture is named 'deblurgann'; did you mean 'deblurgan'",
        ),
        (
            {"distill__student": "srvg"},
            r"stages\.distill\.student: no architecture is named 'srvg'; did you mean 'srvgg'",
        ),
        ({"distill__student": "os:system"}, r"stages\.distill\.student: os:system is of Python's own library"),
        ({"model__arch": "nope.nope:X"}, r"model\.arch: cannot import 'nope\.nope:X': there is no module nope"),
        (
            {"distill__kwargs": "{preset: zzz}"},
            r"stages\.distill\.kwargs\.preset: must be 's' or 'm' or 'l' or 'p', got 'zzz'",
        ),
        ({"model__kwargs": "{presett: s}"}, r"model\.kwargs\.presett: .*did you mean 'preset'"),
        ({"data__calibration": "few"}, r"data\.calibration: .*few holds 3 pictures; calibration needs 8"),
        ({"data__evaluation": "empty"}, r"data\.evaluation: .*empty holds no pictures"),
        ({"data__training": "odd"}, r"data\.training: .*x\.png is called like a picture, but is a folder"),
    ],
)
def test_mismatches(recipe_file, words, says):  # noqa: F811
    with pytest.raises(PlanError, match=says):
        planned(recipe_file, **words)


def test_stages_in_the_wrong_order(recipe_file):  # noqa: F811
    recipe_file.write_text(GOOD.replace("- prune", "- simplify_onnx"))
    with pytest.raises(PlanError, match=r"stages\.simplify_onnx: takes onnx, but the model is torch by then"):
        planned(recipe_file)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"model__checkpoint": "set"}, r"model\.checkpoint: .*set is a folder, not a file"),
        ({"data__calibration": "/etc/passwd"}, r"data\.calibration: /etc/passwd is a file, not a folder"),
        ({"data__training": "/dev/null"}, r"data\.training: /dev/null is a device, not a folder"),
        ({"model__checkpoint": "/dev/zero"}, r"model\.checkpoint: /dev/zero is a device, not a file"),
        ({"distill__warm_start": "empty"}, r"stages\.distill\.warm_start: .*empty is a folder, not a file"),
        ({"data__evaluation": "loop"}, r"data\.evaluation: loop is a link that leads nowhere"),
    ],
)
def test_files_and_folders_are_what_they_must_be(recipe_file, tmp_path, words, says):  # noqa: F811
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(RecipeError, match=says):
        planned(recipe_file, **words)


def test_a_problem_names_its_line(recipe_file):  # noqa: F811
    recipe_file.write_text(GOOD.replace("torch_cpu", "torch_cp"))
    with pytest.raises(PlanError, match=r"^\S*demo\.yaml:10: targets\.torch\.runtime: no runtime is named"):
        planned(recipe_file)


def test_the_plan_says_what_it_did_not_check(recipe_file, capsys):  # noqa: F811
    assert main(["plan", f"recipe={recipe_file}"]) == 0
    said = capsys.readouterr().out
    assert f"checked: {CHECKED}" in said
    assert f"not yet: {LEFT}" in said
