"""Files for NPUs through the whole pipeline: sixteen bits, and what a vendor's compiler would make of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from exporter.cli import main
from exporter.graph.tflite_editor import TfliteGraph
from exporter.npu import compile as compiling
from exporter.npu.compile import CompiledFile
from exporter.npu.vendors import VENDORS
from tests.recipes.recipe_folder import FULL_CHAINS, write_recipe_folder

SIXTEEN = {"quantize_tflite": {"precision": "int16x8"}}
TO_TFLITE = ["onnx_to_tflite", SIXTEEN]
INT16 = {
    "runtime": "litert_cpu",
    "stages": TO_TFLITE,
    "budget": {"min_int16_mac_share": 1.0, "min_parity_db": 50},
}


@pytest.fixture
def written(tmp_path, teacher_file, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(**targets) -> Path:
        chains = FULL_CHAINS | {"stages": FULL_CHAINS["stages"][2:], "targets": targets}
        return write_recipe_folder(tmp_path, teacher_file, **chains)

    return write


@pytest.mark.slow
def test_sixteen_bits_become_a_verified_bundle(written, tmp_path):
    recipe = written(npu=INT16)
    assert main([f"recipe={recipe}"]) == 0
    (bundle,) = Path("dist").iterdir()
    (model,) = json.loads((bundle / "manifest.json").read_text())["models"]
    assert model["precision"] == "int16x8" and model["file"].endswith(".int16x8.tflite")
    assert (model["input"]["dtype"], model["output"]["zero_point"]) == ("int16", 0)
    (target,) = json.loads((bundle / "report" / "report.json").read_text())["targets"]
    assert target["audit"]["int16_mac_share"] == 1 and {each["vendor"] for each in target["npu"]} == set(VENDORS)
    card = (bundle / "README.md").read_text()
    assert "NPUs with 16-bit activations" in card and "-32768, 32767" in card
    assert main(["verify", str(bundle)]) == 0
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save("in.png")
    assert main(["run", "--model", str(bundle / model["file"]), "in.png", "out.png"]) == 0
    assert np.asarray(Image.open("out.png")).shape == (48, 64, 3)


@pytest.mark.slow
def test_a_compiled_file_is_in_the_bundle_and_not_measured(written, monkeypatch):
    """With a stand-in for the compiler, which no machine of ours can have."""

    def compiled(vendor, soc, model, folder, litert=None):
        return CompiledFile(TfliteGraph(model.read_bytes()).to_bytes() + bytes(16), "2.3.0", 7, 9)

    monkeypatch.setattr(compiling, "compile_for", compiled)
    monkeypatch.setattr(type(VENDORS["qualcomm"]), "is_installed", property(lambda self: True))
    stages = [*TO_TFLITE, {"compile_npu": {"vendor": "qualcomm", "soc": "SM8750"}}]
    recipe = written(npu=INT16, phone={"runtime": "npu", "stages": stages, "budget": {"min_parity_db": 40}})
    assert main([f"recipe={recipe}"]) == 3
    (bundle,) = Path("dist").iterdir()
    files = {model["format"]: model["file"] for model in json.loads((bundle / "manifest.json").read_text())["models"]}
    assert files["npu"].endswith(".int16x8.qualcomm_SM8750.tflite") and (bundle / files["npu"]).is_file()
    assert main(["verify", str(bundle)]) == 3


def test_without_the_compiler_the_export_ends_before_it_begins(written, capfd):
    stages = [*TO_TFLITE, {"compile_npu": {"vendor": "mediatek", "soc": "MT6991"}}]
    assert main([f"recipe={written(phone={'runtime': 'npu', 'stages': stages})}"]) == 3
    assert "pip install ai-edge-litert-sdk-mediatek" in capfd.readouterr().err
    assert not Path("dist").exists()
