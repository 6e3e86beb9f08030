"""`input.sizes`: from a recipe to a bundle whose files hold every size, and what is done with it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image

from exporter.artifact import sha256_of
from exporter.bundle import reproducible_files
from exporter.bundle.manifest import read_manifest
from exporter.bundle.sums import digests
from exporter.bundle.verify import checked_documents
from exporter.cli import main
from exporter.errors import BundleError
from exporter.graph.tflite_signatures import signatures_of
from exporter.report.document import schema
from exporter.tiling.sizes import best_size
from tests.bundle.changes import GOLDEN, MANIFEST, drop, edit, put
from tests.conftest import picture
from tests.recipes.recipe_folder import write_recipe_folder
from tests.runs.command_line import ran

SIZES = ["64x64", "96x128"]
INT8 = "models/tiny.int8.tflite"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory, student_file) -> Path:
    folder = tmp_path_factory.mktemp("sizes")
    targets = {
        "int8": {"runtime": "litert_cpu", "stages": ["quantize_tflite"], "budget": {"min_parity_db": 30}},
        "fp16": {"runtime": "litert_cpu", "stages": [{"quantize_tflite": {"precision": "fp16"}}]},
        "again": {"runtime": "litert_cpu", "stages": ["quantize_tflite"]},
    }
    return write_recipe_folder(
        folder,
        student_file,
        model={"arch": "mobilenetv3_student", "checkpoint": str(student_file), "kwargs": {"preset": "s"}},
        input={"sizes": SIZES},
        data={"calibration": "calibration", "evaluation": "evaluation"},
        stages=["torch_to_onnx", "simplify_onnx", "onnx_to_tflite"],
        targets=targets,
    )


@pytest.fixture(scope="module")
def bundle(recipe) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(recipe.parent)
        assert main([f"recipe={recipe}"]) == 0
    return recipe.parent / "dist" / "tiny-1.0"


@pytest.mark.slow
def test_a_bundle_of_two_sizes(recipe, bundle, monkeypatch, capfd):
    monkeypatch.chdir(recipe.parent)
    manifest = read_manifest(bundle)
    assert [model.file for model in manifest.models] == [INT8, "models/tiny.fp16.tflite"]
    report = json.loads((bundle / "report" / "report.json").read_text())
    jsonschema.validate(report, schema())
    for model, target in zip(manifest.models, report["targets"], strict=False):
        assert signatures_of((bundle / model.file).read_bytes()) == tuple(SIZES)
        assert [sized.name for sized in model.signatures] == SIZES
        parities = [size["parity"]["worst_psnr_db"] for size in target["sizes"]]
        assert target["parity"]["worst_psnr_db"] == min(parities), "the promise is about every size"
        assert target["parity"]["images"] == 3 + 3
        assert target["sizes"][1]["latency"]["samples_ms"] and target["sizes"][1]["quality"]["psnr_db"]
    steps = {name: facts for name, facts in report["notes"].items() if name.startswith("join_sizes")}
    assert steps["join_sizes int8"]["of_largest"] <= 1.05
    assert steps["join_sizes fp16"]["of_largest"] <= 1.05
    assert main(["verify", str(bundle)]) == 0
    said = capfd.readouterr().out
    assert f"{INT8} at 96x128 on litert_cpu" in said and "golden vectors of 4 of 4" in said

    made = reproducible_files(bundle)
    assert main([f"recipe={recipe}"]) == 0
    assert ran(capfd.readouterr().out) == []
    assert reproducible_files(bundle) == made


@pytest.mark.slow
def test_the_card_and_run_choose_the_size_that_fits(bundle, tmp_path, capfd):
    tilings = {sized.name: sized.tiling.grid() for sized in read_manifest(bundle).models[0].signatures}
    card = (bundle / "README.md").read_text().split("## Which size for which picture")[1]
    code = card.split("```python\n")[1].split("```")[0]
    sides = np.random.default_rng(0).integers(1, 400, (40, 2)).tolist()
    vector = next(v for v in json.loads((bundle / GOLDEN).read_text())["vectors"] if "96x128" in v["name"])
    (entry,) = [one for one in vector["models"] if one["model"] == INT8]
    program = f"""{code}
import json, numpy as np
made = restored(interpreter, np.load({entry["input"]!r}))
print(json.dumps([[signature_for(*sides) for sides in {sides}], bool((made == np.load({entry["output"]!r})).all())]))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=bundle, check=True, capture_output=True, text=True)
    chosen, equal = json.loads(done.stdout)
    assert chosen == [best_size(tilings, *each) for each in sides] and len(set(chosen)) == 2
    assert equal, "the golden vector of the larger size"

    (tmp_path / "in").mkdir()
    for name, each in (("small", (60, 64)), ("whole", (96, 128)), ("large", (64, 180))):
        Image.fromarray((picture(1, *each) * 255).astype(np.uint8)).save(tmp_path / "in" / f"{name}.png")
    words = ["run", "--model", str(bundle / INT8), str(tmp_path / "in"), str(tmp_path / "out"), "--json"]
    capfd.readouterr()
    assert main(words) == 0
    figures = json.loads(capfd.readouterr().out)
    expected = [best_size(tilings, *each) for each in ((60, 64), (96, 128), (64, 180))]
    assert figures["sizes"] == {name: expected.count(name) for name in set(expected)}
    assert Image.open(tmp_path / "out" / "large.png").size == (180, 64)
    lone = shutil.copyfile(bundle / INT8, tmp_path / "lone.tflite")
    assert main([*words[:2], str(lone), str(tmp_path / "in" / "whole.png"), str(tmp_path / "lone.png"), "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["sizes"] == {"96x128": 1}
    assert sha256_of(tmp_path / "lone.png") == sha256_of(tmp_path / "out" / "whole.png")


def all_of_the_first_size(tree) -> None:
    for vector in tree["vectors"]:
        for entry in vector["models"]:
            entry.pop("signature", None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        (MANIFEST, drop("models", 0, "signatures"), "says other sizes of models/tiny.int8.tflite than its recipe's"),
        (MANIFEST, put("recipe", "input", "sizes", ["64x64", "96x96"]), "says other sizes of"),
        (MANIFEST, put("models", 0, "signatures", 1, "output", "scale", 0.01), "its output at 96x128 is not that"),
        (MANIFEST, put("models", 0, "signatures", 1, "tiling", "tile_px", [64, 128]), "the signature 96x128 takes"),
        (MANIFEST, put("models", 0, "signatures", 1, "worst_parity_db", 99.0), "about the target again: sizes"),
        (GOLDEN, all_of_the_first_size, "holds no vector for models/tiny.int8.tflite at 96x128"),
        (GOLDEN, put("vectors", 0, "models", 0, "signature", "9x9"), "no signature 9x9 behind its first"),
    ],
)
def test_what_is_said_of_a_size_is_held_against_the_file(file, change, says, bundle, tmp_path):
    copy = shutil.copytree(bundle, tmp_path / "copy")
    edit(copy, file, change)
    with pytest.raises(BundleError) as refused:
        checked_documents(copy, digests(copy))
    assert says in str(refused.value)
