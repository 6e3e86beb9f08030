"""A bundle in place of a file: its .tflite files, on its own golden vectors and by its own tolerances."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from exporter.cli import main
from exporter.commands.bench_subjects import bundles_of, files_of, subjects
from exporter.errors import BundleError
from tests.bundle.conftest import bundle as bundle
from tests.bundle.conftest import finished as finished
from tests.bundle.conftest import pristine as pristine

pytestmark = pytest.mark.slow


def test_every_tflite_comes_with_its_golden_vectors(pristine: Path) -> None:
    found = subjects([pristine], "a farm")
    golden = json.loads((pristine / "golden" / "golden.json").read_text())
    assert [one.name for one in found] == [f"mobile_deblur.{kind}.tflite" for kind in ("fp32", "fp16", "int8")]
    for one in found:
        assert len(one.golden) == len(golden["vectors"]) and one.made_by == "litert_cpu"
        assert {given.dtype for given, _ in one.golden} == {np.dtype(one.artifact.input.dtype)}
    (said,) = bundles_of([pristine, pristine / "README.md"])
    assert (said["name"], said["version"]) == ("mobile_deblur", "1.0.0") and len(said["sums_sha256"]) == 64
    int8 = next(one for one in found if "int8" in one.name)
    assert int8.allowed.min_psnr_db == 40.0, "another engine's: wider than that of the one that made them"


def test_a_model_that_was_changed_is_not_taken_anywhere(bundle: Path) -> None:
    file = bundle / "models" / "mobile_deblur.int8.tflite"
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(BundleError, match="is not the file that manifest.json names"):
        subjects([bundle], "a farm")


def test_a_folder_that_is_no_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", str(tmp_path)]) == 2 and "is this the folder of a bundle" in capsys.readouterr().err


def test_on_this_machine_its_files_make_a_table(pristine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(files_of([pristine])) == 4
    assert main(["bench", str(pristine), "--runs", "3", "--warmup", "0", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["timings"]) == 4
