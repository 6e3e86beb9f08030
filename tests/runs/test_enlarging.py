"""A network that enlarges goes the whole way: promised, measured, tiled, described and run at two sizes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from exporter.artifact import Artifact, Format, TensorSpec
from exporter.cli import main
from exporter.data.bicubic import enlarge, shrink
from exporter.data.images import read_image, read_pixels, write_png
from exporter.data.metrics import psnr_y_db
from exporter.errors import RecipeError
from exporter.generators.network_file import read_network
from exporter.recipes.export import load_recipe
from exporter.recipes.plan import make_plan
from exporter.runs.build import open_images
from tests.conftest import artifact_of, picture, save_network
from tests.recipes.recipe_folder import TINY_TRAINING, write_recipe_folder

KWARGS = {"num_feat": 8, "num_conv": 1, "upscale": 2, "act_type": "relu"}
CHAINS = {
    "stages": ["torch_to_onnx", "simplify_onnx"],
    "targets": {
        "int8": {
            "runtime": "litert_cpu",
            "stages": ["onnx_to_tflite", "quantize_tflite"],
            "budget": {"min_parity_db": 30, "min_gain_db": 90, "max_transposes": 0},
        },
    },
}


def write_enlarging_recipe(folder: Path, **changes) -> Path:
    network = save_network(folder / "sr.safetensors", "srvgg", KWARGS)
    model = {"arch": "srvgg", "checkpoint": str(network)}
    return write_recipe_folder(folder, network, model=model, input={"height": 32, "width": 32}, **CHAINS | changes)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a run that misses its promise on purpose, so that it says what the gain is over."""
    folder = tmp_path_factory.mktemp("enlarging")
    recipe = write_enlarging_recipe(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main([f"recipe={recipe}"]) == 1
    return folder / "dist" / "tiny-1.0.missed"


def test_quality_is_the_field_s(made: Path) -> None:
    report = json.loads((made / "report" / "report.json").read_text())
    stage = next(stage for stage in report["stages"] if stage["name"] == "teacher")
    network = read_network(made.parent.parent / "sr.safetensors")
    psnr_db, before_db = [], []
    for file in sorted((made.parent.parent / "evaluation" / "sharp").iterdir()):
        sharp = read_pixels(file)
        small = shrink(sharp, 2)
        with torch.no_grad():
            given = network(torch.from_numpy(small.transpose(2, 0, 1)[None].astype(np.float32) / 255))
        truth = sharp.astype(np.float32) / 255
        psnr_db.append(psnr_y_db(given[0].numpy().transpose(1, 2, 0), truth, 2))
        before_db.append(psnr_y_db(enlarge(small, 2).astype(np.float32) / 255, truth, 2))
    assert stage["quality"]["psnr_db"] == pytest.approx(np.mean(psnr_db), abs=1e-4)
    assert stage["quality"]["input_psnr_db"] == pytest.approx(np.mean(before_db), abs=1e-9)
    assert "BT.601" in report["protocols"]["psnr_db"]
    sentences = [promise["sentence"] for promise in report["promises"]]
    assert any("mean PSNR gained over bicubic enlargement is" in sentence for sentence in sentences)


def test_the_contract_has_two_sizes(made: Path) -> None:
    manifest = json.loads((made / "manifest.json").read_text())
    (model,) = manifest["models"]
    assert (model["input"]["shape"], model["output"]["shape"]) == ([1, 32, 32, 3], [1, 64, 64, 3])
    assert manifest["tiling"]["tile_px"] == [32, 32]
    for role in ("calibration", "evaluation"):
        assert manifest["provenance"][role]["scale"] == 2
        assert "imresize" in manifest["provenance"][role]["small_pictures"]
    card = " ".join((made / "README.md").read_text().split())
    assert "one of 2 times its height and width out" in card
    assert "Gain over bicubic enlargement" in card
    assert "a tile gives 64×64 px" in card
    assert "int[] pixels, int[] restored" in card
    golden = json.loads((made / "golden" / "golden.json").read_text())["vectors"][0]
    pixels, output = (np.load(made / file) for file in (golden["pixels"], golden["models"][0]["output"]))
    assert (pixels.shape, output.shape) == ((32, 32, 3), (1, 64, 64, 3))


def test_sensor_values_that_become_colours_are_not_enlarged() -> None:
    """Half as high and wide, four channels a cell: quality is measured as of any restored picture."""
    mosaic = Artifact(
        Format.ONNX,
        Path("m.onnx"),
        TensorSpec.image(16, 16, colour="rggb"),
        TensorSpec.image(32, 32),
        "0" * 64,
    )
    assert (mosaic.scale, mosaic.enlarges) == (2, 1)


def test_the_page_says_what_is_compared(made: Path) -> None:
    page = (made / "report" / "index.html").read_text()
    assert "Bicubic enlargement" in page
    assert "over bicubic" in page
    assert "blurred" not in page.split("</style>")[1].replace("only_blurred", "")


def test_pictures_of_any_size_are_enlarged_tile_by_tile(made: Path, tmp_path: Path) -> None:
    write_png(tmp_path / "small.png", picture(5, 45, 70))
    model = made / "models" / "tiny.int8.tflite"
    assert main(["run", "--model", str(model), str(tmp_path / "small.png"), str(tmp_path / "large.png")]) == 0
    small, large = read_pixels(tmp_path / "small.png"), read_pixels(tmp_path / "large.png")
    assert large.shape == (90, 140, 3)
    network = read_network(made.parent.parent / "sr.safetensors")
    with torch.no_grad():
        whole = network(torch.from_numpy(small.transpose(2, 0, 1)[None].astype(np.float32) / 255))
    assert np.abs(large / 255 - whole[0].numpy().transpose(1, 2, 0)).max() < 0.03
    only_blurred = [
        "run",
        "--model",
        str(model),
        "--only-blurred",
        *(str(tmp_path / f"{n}.png") for n in ("small", "x")),
    ]
    assert main(only_blurred) == 2


@pytest.mark.slow
def test_an_enlarging_student_is_pruned_distilled_and_trained_for_int8(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    distill = TINY_TRAINING | {"student": "srvgg", "kwargs": KWARGS | {"num_feat": 6}}
    trained = {"runtime": "litert_cpu", "stages": ["onnx_to_tflite", {"quantize_aware_train": TINY_TRAINING}]}
    trained["stages"].append("quantize_tflite")
    recipe = write_enlarging_recipe(
        tmp_path,
        stages=[{"prune": TINY_TRAINING | {"round_to": 2}}, {"distill": distill}, *CHAINS["stages"]],
        targets={"trained": trained | {"budget": {"min_parity_db": 30}}},
    )
    assert main([f"recipe={recipe}"]) == 0


def test_a_protocol_is_for_networks_that_enlarge(tmp_path: Path, teacher_file: Path) -> None:
    data = {"calibration": "calibration", "evaluation": "evaluation", "protocol": "bicubic"}
    recipe = load_recipe(write_recipe_folder(tmp_path, teacher_file, data=data | {"training": "training"}))
    with pytest.raises(RecipeError, match=r"tiny.yaml:\d+: data.protocol: the network gives pictures of the size"):
        make_plan(recipe)
    with pytest.raises(RecipeError, match=r"tiny.yaml:\d+: data.protocol: the network gives pictures of the size"):
        open_images(recipe)


def test_no_tile_can_stay_as_it_is(tmp_path: Path) -> None:
    recipe = load_recipe(write_enlarging_recipe(tmp_path, processing={"only_blurred": True}))
    with pytest.raises(RecipeError, match=r"processing.only_blurred: the network enlarges 2 times"):
        open_images(recipe, loaded(tmp_path))


def test_sets_that_bring_small_pictures_are_taken_as_they_are(tmp_path: Path) -> None:
    recipe = load_recipe(write_enlarging_recipe(tmp_path))
    made = open_images(recipe, loaded(tmp_path))
    for file in (tmp_path / "evaluation" / "blurred").iterdir():
        write_png(file, read_image(file)[::2, ::2])
    given = open_images(recipe, loaded(tmp_path))
    assert (made.evaluation.protocol, made.calibration.protocol) == ("bicubic", "bicubic")
    assert (given.evaluation.protocol, given.calibration.protocol) == (None, None)
    for first, second in zip(made.evaluation, given.evaluation, strict=True):
        assert first.blurred.shape == second.blurred.shape == (32, 32, 3)
        assert not np.array_equal(first.blurred, second.blurred)
        assert np.array_equal(first.sharp, second.sharp)
    named = load_recipe(tmp_path / "tiny.yaml", {"data.protocol": "bicubic"})
    again = open_images(named, loaded(tmp_path))
    assert again.evaluation.sha256 != given.evaluation.sha256
    assert np.array_equal(next(iter(again.evaluation)).blurred, next(iter(made.evaluation)).blurred)


def loaded(folder: Path) -> Artifact:
    """The network of a recipe in `folder` as it is after loading: 32 px in, 64 px out."""
    artifact = artifact_of(folder / "sr.safetensors", Format.TORCH, 32, 32)
    return replace(artifact, output=TensorSpec.image(64, 64))


def test_a_recipe_without_a_protocol_says_nothing_of_it(tmp_path: Path) -> None:
    recipe = load_recipe(write_enlarging_recipe(tmp_path))
    assert "protocol" not in recipe.resolved()["data"]
    named = load_recipe(tmp_path / "tiny.yaml", {"data.protocol": "bicubic"})
    assert named.resolved()["data"]["protocol"] == "bicubic"
