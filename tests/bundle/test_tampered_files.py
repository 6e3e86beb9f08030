"""Files that are changed, added or lost, and signed again, are noticed though all digests agree."""

from __future__ import annotations

import os
import shutil
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from exporter.bundle import verify_bundle
from exporter.bundle.manifest import read_manifest
from exporter.errors import BundleError
from tests.bundle.changes import FP32, INT8, MANIFEST, REPORT, edit, put


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
