"""What a bundle of real model files holds: manifest, report, golden vectors and the runtime card."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

from exporter.artifact import sha256_of
from exporter.bundle.card import runtime_card
from exporter.bundle.manifest import read_manifest
from exporter.bundle.manifest_of_run import tiling_part
from exporter.graph.tflite_metadata import read_metadata
from exporter.measure.results import Tiled
from exporter.not_measured import NotMeasured
from exporter.tiling.grid import Tiling
from tests.bundle.conftest import SIDE, Finished, tree


def test_it_holds_what_the_design_says(pristine: Path) -> None:
    assert pristine.name == "mobile_deblur-1.0.0"
    files = set(tree(pristine))
    models = {f"models/mobile_deblur.{kind}" for kind in ("fp32.tflite", "fp16.tflite", "int8.tflite", "int8.onnx")}
    assert {file for file in files if file.startswith("models/")} == models, "two targets, one file: shipped once"
    assert {"manifest.json", "README.md", "SHA256SUMS", "golden/golden.json"} <= files
    assert {"report/index.html", "report/report.json", "report/junit.xml"} <= files
    assert [path.name for path in pristine.parent.iterdir()] == [pristine.name], "nothing is left beside it"


def test_the_card_says_how_exact_tiles_are(pristine: Path) -> None:
    manifest = read_manifest(pristine)

    def card(tiled: Tiled | NotMeasured) -> str:
        part = tiling_part(tiled, manifest.models[0].input.spec, 4)
        return " ".join(runtime_card(manifest.model_copy(update={"tiling": part}), pristine, ()).split())

    short = " ".join((pristine / "README.md").read_text().split())
    assert "the receptive field reaches 24 px, exact tiles would need 52 px or more" in short
    assert "61.5 dB from the whole picture" in short
    exact = Tiled(Tiling(SIDE, SIDE, 4, 4), 4, None, images=8, psnr_db=200.0, max_abs=3e-7)
    assert "That is exact: the receptive field reaches 4 px" in card(exact)
    unbounded = Tiled(Tiling(SIDE, SIDE, 8, 4, 4), None, "ReduceMean takes statistics", 8, 50.0, 0.02)
    assert "looks at the whole picture (ReduceMean" in card(unbounded)
    assert "was not measured: it crashed" in card(NotMeasured("it crashed"))


def test_the_card_states_the_real_tensors_and_its_python_runs(pristine: Path) -> None:
    card = (pristine / "README.md").read_text()
    assert f"int8 [1, {SIDE}, {SIDE}, 3] NHWC, scale 0.00392156886, zero point -128" in card
    assert "`stored = pixel - 128` going in, `pixel = stored + 128` coming out" in card
    assert "Tiles start every 16 rows and 16 columns" in card
    assert "at least 8 px inside both" in card
    assert "latency" in card.lower()
    assert re.search(r"\d ms\b", card) is None, "measured times belong into report/"
    snippets = re.findall(r"```python\n(.*?)```", card, flags=re.DOTALL)
    assert len(snippets) == 2
    for snippet in snippets:
        check = "\nassert restored.shape == pixels.shape and restored.dtype == np.uint8\nprint(int(restored.sum()))"
        done = subprocess.run([sys.executable, "-c", snippet + check], cwd=pristine, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert int(done.stdout.split()[-1]) > 0
    golden = json.loads((pristine / "golden" / "golden.json").read_text())["vectors"][0]
    stored = next(m for m in golden["models"] if m["model"].endswith("int8.tflite"))
    expected = (np.load(pristine / stored["output"])[0].astype(int) + 128).astype(np.uint8)
    first = subprocess.run(
        [sys.executable, "-c", snippets[0] + "\nimport sys; sys.stdout.buffer.write(restored.tobytes())"],
        cwd=pristine,
        capture_output=True,
        check=True,
    )
    assert first.stdout[-expected.size :] == expected.tobytes()


def test_the_manifest_tells_each_file_from_its_source(finished: Finished, pristine: Path) -> None:
    manifest = json.loads((pristine / "manifest.json").read_text())
    assert manifest["schema_version"] == 1
    tiling = manifest["tiling"]
    assert (tiling["tile_px"], tiling["halo_px"], tiling["multiple_px"]) == ([SIDE, SIDE], 8, 4)
    assert (tiling["theoretical_halo_px"], tiling["psnr_db"], tiling["blend_px"]) == (24, 61.5, 4)
    assert manifest["processing"] == {"denoise": 0.0, "only_blurred": False, "sharp_above": 0.88}
    int8 = next(m for m in manifest["models"] if m["file"].endswith("int8.tflite"))
    source = next(t.artifact for t in finished[0].targets if t.name == "tflite_int8")
    assert int8["sha256"] == sha256_of(pristine / int8["file"]) != int8["source_sha256"] == source.sha256
    assert [t["runtime"] for t in int8["targets"]] == ["litert_cpu", "tflite_runtime"]
    assert int8["input"]["dtype"] == "int8"
    assert int8["input"]["zero_point"] == -128
    assert "p50" not in json.dumps(manifest), "latency differs from run to run"
    metadata = read_metadata((pristine / int8["file"]).read_bytes())
    assert metadata is not None
    assert (metadata.version, metadata.license, metadata.input.std) == ("1.0.0", "Apache-2.0", 255.0)


def test_the_report_speaks_of_the_files_as_shipped(pristine: Path) -> None:
    report = json.loads((pristine / "report" / "report.json").read_text())
    manifest = json.loads((pristine / "manifest.json").read_text())
    shipped = {model["file"].removeprefix("models/"): model["sha256"] for model in manifest["models"]}
    assert {t["model"]["file"]: t["model"]["sha256"] for t in report["targets"]} == shipped


def test_golden_vectors_are_plain_arrays_of_the_tensors(pristine: Path) -> None:
    golden = json.loads((pristine / "golden" / "golden.json").read_text())
    assert [vector["name"] for vector in golden["vectors"]] == ["noise", "ramp/../x"]
    pixels = np.load(pristine / golden["vectors"][0]["pixels"])
    assert (pixels.dtype, pixels.shape) == (np.uint8, (SIDE, SIDE, 3))
    entries = {entry["model"]: entry for entry in golden["vectors"][0]["models"]}
    int8 = entries["models/mobile_deblur.int8.tflite"]
    fed = np.load(pristine / int8["input"])
    assert (fed.dtype, fed.shape) == (np.int8, (1, SIDE, SIDE, 3))
    assert np.array_equal(fed[0], (pixels.astype(int) - 128).astype(np.int8)), "a pixel is its byte minus 128"
    assert np.load(pristine / int8["output"]).dtype == np.int8
    assert {"litert_cpu", "tflite_runtime", "other"} == set(int8["tolerances"])
    assert int8["tolerances"]["litert_cpu"]["max_abs"] < int8["tolerances"]["other"]["max_abs"]
    float32 = entries["models/mobile_deblur.fp32.tflite"]
    assert np.load(pristine / float32["output"]).dtype == np.float32
    assert float32["input"] == entries["models/mobile_deblur.fp16.tflite"]["input"], "equal inputs share a file"
    for path in (pristine / "golden").glob("*.npy"):
        data = path.read_bytes()
        assert data[:8] == b"\x93NUMPY\x01\x00", "version 1.0"
        assert b"'fortran_order': False" in data[:128]
