"""Whatever is changed in a bundle, and signed again, is refused before anything of it runs, in sentences."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exporter.bundle import verify_bundle
from exporter.bundle.manifest import read_manifest
from exporter.errors import BundleError

MANIFEST, GOLDEN, REPORT = "manifest.json", "golden/golden.json", "report/report.json"
Change = Callable[[dict[str, Any]], object]
FP32, INT8 = 0, 2  # places in `models` and among the report's targets


def put(*path: Any) -> Change:
    """Sets what the path, all but the last, leads to; the last is the value."""
    *steps, key, value = path

    def change(tree: Any) -> None:
        for step in steps:
            tree = tree[step]
        tree[key] = value

    return change


def drop(*path: Any) -> Change:
    *steps, key = path

    def change(tree: Any) -> None:
        for step in steps:
            tree = tree[step]
        del tree[key]

    return change


def edit(bundle: Path, file: str, change: Change) -> None:
    path = bundle / file
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))


def in_every_golden_entry(key: str, value: object) -> Change:
    def change(tree: dict[str, Any]) -> None:
        for vector in tree["vectors"]:
            for entry in vector["models"]:
                entry[key] = value

    return change


IN_MANIFEST = [
    ("models", put("models", []), "models: is empty"),
    ("targets", put("models", FP32, "targets", []), "models.0.targets: is empty"),
    ("a model", drop("models", FP32), "fp32.tflite belongs to nothing in this bundle"),
    ("no tile", put("tiling", "tile_px", [0, 32]), "tiling.tile_px.0"),
    ("another tile", put("tiling", "tile_px", [64, 64]), "takes 32×32 px, tiles are 64×64 px"),
    ("no multiple", put("tiling", "multiple_px", 0), "tiling.multiple_px"),
    ("negative halo", put("tiling", "halo_px", -1), "tiling.halo_px"),
    ("halo of half a tile", put("tiling", "halo_px", 16), "a halo of 16 px leaves nothing of a tile of 32 px"),
    ("wide blend", put("tiling", "blend_px", 30), "cannot be blended over 30 px"),
    ("text for a number", put("tiling", "halo_px", "8"), "tiling.halo_px: Input should be a valid integer"),
    ("a float for a whole number", put("tiling", "halo_px", 8.0), "tiling.halo_px: Input should be a valid integer"),
    ("schema of a newer exporter", put("schema_version", 2), "of schema version 2, this exporter reads 1"),
    ("schema that equals 1", put("schema_version", True), "schema_version: True is no version"),
    ("name", put("name", "other"), "its metadata says name 'mobile_deblur', manifest.json 'other'"),
    ("licence", put("licence", "MIT"), "manifest.json says licence 'MIT', its recipe 'Apache-2.0'"),
    ("scale", put("models", INT8, "input", "scale", 0.5), "scale 0.00392157, zero point -128, manifest.json says"),
    ("zero point", put("models", INT8, "output", "zero_point", -127), "manifest.json says .* zero point -127"),
    ("zero point of no int8", put("models", INT8, "output", "zero_point", -129), "are no code of int8"),
    ("scale 0", put("models", INT8, "output", "scale", 0.0), "are no code of int8"),
    ("layout", put("models", FP32, "input", "layout", "NCHW"), "NCHW is no batch of one RGB picture"),
    ("range", put("models", FP32, "input", "range", [-1.0, 1.0]), r"is said to lie in \[-1.0, 1.0\]"),
    (
        "output size",
        put("models", FP32, "output", "shape", [1, 64, 64, 3]),
        "do not enlarge pictures by one whole number",
    ),
    ("precision", put("models", FP32, "precision", "int8"), "fp32.tflite: it is fp32, manifest.json says int8"),
    ("format", put("models", FP32, "format", "onnx"), "does not end like a file of the format onnx"),
    ("size", put("models", FP32, "size_bytes", 5), "manifest.json says 5"),
    ("source", put("models", FP32, "source_sha256", "0" * 64), "from which manifest.json says it was made"),
    ("operators", put("models", FP32, "ops", {"CONV_2D": 1}), "its operators are not those"),
    ("history", put("models", FP32, "history", ["x"]), "disagree about the target tflite_fp32: history"),
    ("parity", put("models", INT8, "targets", 0, "worst_parity_db", 99.0), "the target tflite_int8: parity"),
    (
        "runtime",
        put("models", FP32, "targets", 0, "runtime", "new"),
        "was measured on new, its recipe asks for another",
    ),
    (
        "engine nobody asked for",
        put("models", FP32, "targets", 0, "also_on", {"x": 1.0}),
        "tried on x, which its recipe",
    ),
    ("one file twice", put("models", FP32, "file", "models/mobile_deblur.int8.tflite"), "is listed twice"),
    ("a target twice", put("models", FP32, "targets", 0, "name", "tflite_int8"), "is listed twice"),
    (
        "a target of the recipe",
        drop("recipe", "targets", "tflite_fp16"),
        "its recipe is without the target tflite_fp16",
    ),
    ("a budget", put("recipe", "budget", "min_parity_db", 10.0), "says another recipe than manifest.json"),
    ("processing", put("processing", "denoise", 3.0), "another processing than its recipe"),
    ("provenance", put("provenance", "files", {}), "its provenance does not name teacher.safetensors"),
    (
        "digest of weights",
        put("provenance", "files", "model.checkpoint", "sha256", "x"),
        "no sha256 of model.checkpoint",
    ),
    ("the exporter", drop("provenance", "exporter"), "does not say which exporter"),
    ("what is reproducible", put("reproducible", []), "does not say whether README.md is reproducible"),
    ("unknown key", put("surprise", 1), "surprise: is unknown"),
]
IN_GOLDEN = [
    ("vectors", put("vectors", []), "vectors: is empty"),
    ("models", put("vectors", 0, "models", []), "belongs to nothing in this bundle|not all for the same models"),
    ("one model", drop("vectors", 0, "models", 0), "belongs to nothing in this bundle|holds no vector"),
    ("another model", in_every_golden_entry("model", "models/mobile_deblur.int8.tflite"), "holds no vector for"),
    ("a wide tolerance", put("vectors", 0, "models", 0, "tolerances", "litert_cpu", "max_abs", 1e9), "is wider than"),
    ("a low PSNR", put("vectors", 0, "models", 0, "tolerances", "other", "min_psnr_db", 0.0), "is wider than"),
    (
        "a tolerance that is no number",
        put("vectors", 0, "models", 0, "tolerances", "other", "max_abs", "nan"),
        "max_abs",
    ),
    ("no tolerance", put("vectors", 0, "models", 0, "tolerances", {}), "states no tolerance for litert_cpu"),
    ("another maker", put("vectors", 0, "models", 0, "made_by", "x"), "on which no target of the file was measured"),
    ("a newer schema", put("schema_version", 2), "of schema version 2"),
]
IN_REPORT = [
    ("verdict", put("verdict", "missed"), "report.json says missed, exit code 0; its promises say kept, 0"),
    ("exit code", put("exit_code", 1), "report.json says kept, exit code 1"),
    ("counts", put("counts", "kept", 99), "counts its promises wrongly"),
    ("no promises", put("promises", []), "is a promise that it does not judge"),
    ("a promise", drop("promises", 0), "is a promise that it does not judge"),
    ("a status", put("promises", 0, "status", "missed"), "is called missed; it is kept"),
    ("a limit", put("promises", 0, "limit", 1.0), "recipe and figures say 136.0 against 80.0"),
    ("a value", put("promises", 0, "value", None), "None against 80.0; recipe and figures say 136.0"),
    ("what is demanded", put("promises", 0, "demanded", False), "is not called demanded"),
    ("a figure", put("targets", INT8, "quality", "loss_db", 9.0), "the worst picture is better than the mean"),
    ("a mean", put("targets", INT8, "quality", "psnr_each_db", [1.0]), "psnr_db is not the mean of its pictures"),
    ("a median", put("targets", FP32, "latency", "p50_ms", 0.01), "p50_ms is not the median"),
    ("an absent figure", put("targets", FP32, "parity", {"not_measured": "x"}), "the target tflite_fp32: parity"),
    ("a share", put("targets", INT8, "audit", "int8_mac_share", 0.5), "recipe and figures say 0.5 against 1.0"),
    ("a target", drop("targets", FP32), "report.json does not know the target tflite_fp32"),
    ("a type", put("targets", FP32, "latency", "fast"), "targets.0.latency"),
    ("a newer schema", put("schema_version", 99), "of schema version 99"),
]
CHANGES = [
    pytest.param(file, change, says, id=f"{file}: {what}")
    for file, changes in ((MANIFEST, IN_MANIFEST), (GOLDEN, IN_GOLDEN), (REPORT, IN_REPORT))
    for what, change, says in changes
]


@pytest.mark.parametrize(("file", "change", "says"), CHANGES)
def test_a_word_that_was_changed_is_refused(bundle: Path, resign, file: str, change: Change, says: str) -> None:
    edit(bundle, file, change)
    resign(bundle)
    with pytest.raises(BundleError, match=says):
        verify_bundle(bundle)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON that can be trusted"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": NaN}', "NaN is no JSON number"),
        ('{"a": 1e999}', "1e999 is beyond every number"),
        ('{"a": 1, "a": 2}', "'a' stands twice in one object"),
        ('{"a": %s}' % ("9" * 5000), "not JSON that can be trusted"),
        ("5", "holds int, not an object"),
        ("{}", "schema_version: None is no version"),
    ],
)
@pytest.mark.parametrize("file", [MANIFEST, GOLDEN, REPORT])
def test_text_that_is_no_document_is_refused(bundle: Path, resign, file: str, text: str, says: str) -> None:
    (bundle / file).write_text(text)
    resign(bundle)
    with pytest.raises(BundleError, match=says):
        verify_bundle(bundle)


def test_a_strangers_text_cannot_move_the_cursor(bundle: Path, resign) -> None:
    edit(bundle, MANIFEST, put("\x1b[2J", 1))
    resign(bundle)
    with pytest.raises(BundleError) as refusal:
        verify_bundle(bundle)
    assert "\x1b" not in str(refusal.value)


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        ("0_*fp32.tflite.output.npy", lambda a: a * np.float32("nan"), "its output holds NaN"),
        ("0_*fp32.tflite.output.npy", lambda a: a.astype(np.float64), "its output is float64"),
        ("0_*fp32.tflite.output.npy", lambda a: a.astype(">f4"), "little-endian"),
        ("0_*fp32.tflite.output.npy", np.asfortranarray, "C order"),
        ("0_*pixels.npy", lambda a: a[:0], r"its pixels are uint8 \[0, 32, 3\]"),
        ("0_*float32*input.npy", lambda a: a + np.float32(1e-6), "its input is not the tensor of its pixels"),
    ],
)
def test_golden_arrays_are_what_the_manifest_says(bundle: Path, resign, file: str, change, says: str) -> None:
    (path,) = bundle.glob(f"golden/{file}")
    np.save(path, change(np.load(path)))
    resign(bundle)
    with pytest.raises(BundleError, match=says):
        verify_bundle(bundle)


@pytest.mark.parametrize(
    "file", ["README.md", "report/index.html", "report/junit.xml", "models/mobile_deblur.int8.onnx"]
)
def test_a_file_that_is_missing_from_the_sums_as_well_is_missed(bundle: Path, resign, file: str) -> None:
    (bundle / file).unlink()
    resign(bundle)
    with pytest.raises(BundleError, match=f"{file} is missing"):
        verify_bundle(bundle)


@pytest.mark.parametrize("file", ["models/more.tflite", "golden/more.npy", "notes.txt", ".hidden"])
def test_a_file_that_only_the_sums_list_is_named(bundle: Path, resign, file: str) -> None:
    (bundle / file).write_bytes(b"x")
    resign(bundle)
    with pytest.raises(BundleError, match=f"{file} belongs to nothing in this bundle"):
        verify_bundle(bundle)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "README.md is not listed"),
        ("nonsense\n", "line 1 is no digest and file"),
        (f"{'0' * 64}  a\n{'0' * 64}  a\n", "line 2 lists 'a' again"),
        (f"{'0' * 64}  gone\n", "gone is missing"),
    ],
)
def test_sums_of_another_form_are_refused(bundle: Path, text: str, says: str) -> None:
    (bundle / "SHA256SUMS").write_text(text)
    with pytest.raises(BundleError, match=says):
        verify_bundle(bundle)


def test_a_pipe_is_not_waited_for(bundle: Path) -> None:
    os.mkfifo(bundle / "models" / "pipe")
    with pytest.raises(BundleError, match="models/pipe is not a plain file"):
        verify_bundle(bundle)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("<testsuites/>", "judges otherwise than"),
        ("hello", "is not XML"),
        ('<?xml version="1.0" encoding="nope"?><a/>', "is not XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "not as any exporter writes it"),
    ],
)
def test_junit_tells_the_same_story(bundle: Path, resign, text: str, says: str) -> None:
    (bundle / "report" / "junit.xml").write_text(text)
    resign(bundle)
    with pytest.raises(BundleError, match=says):
        verify_bundle(bundle)


def test_a_model_in_the_place_of_another_is_noticed_though_all_digests_agree(bundle: Path, resign) -> None:
    models = bundle / "models"
    path = Path(shutil.copyfile(models / "mobile_deblur.fp16.tflite", models / "mobile_deblur.fp32.tflite"))
    known = {"sha256": sha256(path.read_bytes()).hexdigest(), "size_bytes": path.stat().st_size}
    edit(bundle, MANIFEST, lambda tree: tree["models"][FP32].update(known))
    edit(bundle, REPORT, lambda tree: tree["targets"][FP32]["model"].update(known))
    resign(bundle)
    with pytest.raises(BundleError, match="fp32.tflite: it is fp16, manifest.json says fp32"):
        verify_bundle(bundle)


def test_changed_weights_are_noticed_though_all_digests_agree(bundle: Path, resign) -> None:
    """The shipped file no longer holds the pipeline's, whose digest the manifest knows."""
    path = bundle / "models" / "mobile_deblur.int8.tflite"
    content = bytearray(path.read_bytes())
    at = content.rindex(b"TFL3") + 400
    content[at] ^= 1
    path.write_bytes(content)
    known = {"sha256": sha256(content).hexdigest()}
    edit(bundle, MANIFEST, lambda tree: tree["models"][INT8].update(known))
    edit(
        bundle,
        REPORT,
        lambda tree: [t["model"].update(known) for t in tree["targets"] if "int8.tf" in t["model"]["file"]],
    )
    resign(bundle)
    with pytest.raises(BundleError, match="from which manifest.json says it was made, is not in it|is damaged"):
        verify_bundle(bundle)


def test_exporter_run_reads_the_same_tile_contract(bundle: Path) -> None:
    edit(bundle, MANIFEST, put("tiling", "multiple_px", 0))
    with pytest.raises(BundleError, match="tiling.multiple_px"):
        read_manifest(bundle)
