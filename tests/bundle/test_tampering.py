"""A word that is changed in a bundle's documents, and signed again, is refused before anything of it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.bundle import verify_bundle
from exporter.errors import BundleError
from tests.bundle.changes import FP32, GOLDEN, INT8, MANIFEST, REPORT, Change, drop, edit, in_every_golden_entry, put

IN_MANIFEST = [
    ("models", put("models", []), "models: is empty"),
    ("targets", put("models", FP32, "targets", []), "models.0.targets: is empty"),
    ("a model", drop("models", FP32), "fp32.tflite belongs to nothing in this bundle"),
    (
        "reproducible twice",
        put("reproducible", ["manifest.json", "README.md", "models/", "golden/", "code/", "models/"]),
        "says twice that models/ is reproducible",
    ),
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
    ("what is reproducible", put("reproducible", ["code/"]), "does not say whether README.md is reproducible"),
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
    ("noise", put("targets", FP32, "latency", "noise", ["a busy machine"]), "noise is not what its samples"),
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
