"""Re-opening a bundle: it proves itself from the folder alone, and whatever was changed in it is noticed and named."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import BaseModel

from exporter.bundle import verify_bundle
from exporter.bundle.documents import read_document
from exporter.cli import main
from exporter.errors import BundleError
from tests.bundle.conftest import mirror_golden


def test_sha256sum_agrees(pristine: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=pristine, check=True)


@pytest.mark.extra("old-runtime")
def test_it_verifies_from_the_folder_alone(bundle: Path) -> None:
    verdict = verify_bundle(bundle)
    assert verdict.exit_code == 0, [c for c in verdict.checks if c.status != "passed"]
    ran = {check.name for check in verdict.checks if " on " in check.name}
    assert "models/mobile_deblur.int8.tflite on tflite_runtime" in ran
    assert len(ran) == 5


@pytest.mark.parametrize(
    "file",
    [
        "models/mobile_deblur.int8.tflite",
        "manifest.json",
        "golden/golden.json",
        "golden/0_noise.pixels.npy",
        "report/index.html",
        "README.md",
    ],
)
def test_one_flipped_bit_is_noticed_and_named(bundle: Path, file: str) -> None:
    data = bytearray((bundle / file).read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / file).write_bytes(data)
    with pytest.raises(BundleError, match=re.escape(f"{file} was changed")):
        verify_bundle(bundle)


def test_missing_and_extra_files_are_named(bundle: Path) -> None:
    (bundle / "models" / "extra.bin").write_bytes(b"x")
    with pytest.raises(BundleError, match="models/extra.bin is not listed"):
        verify_bundle(bundle)
    (bundle / "models" / "extra.bin").unlink()
    (bundle / "models" / "mobile_deblur.fp16.tflite").unlink()
    with pytest.raises(BundleError, match="mobile_deblur.fp16.tflite is missing"):
        verify_bundle(bundle)


def test_a_link_is_not_followed(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("x")
    (bundle / "models" / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="models/link is not a plain file"):
        verify_bundle(bundle)


def test_a_folder_that_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="SHA256SUMS"):
        verify_bundle(tmp_path)
    with pytest.raises(BundleError) as refused:
        verify_bundle(tmp_path / "nothing")
    says = f"{tmp_path / 'nothing'} is not a folder\n  hint: give the folder dist/<name>-<version>"
    assert str(refused.value) == says


@pytest.mark.parametrize("extra", [1, 20, 21, 23])
def test_twenty_problems_are_listed_and_the_rest_is_counted(bundle: Path, extra: int) -> None:
    for number in range(extra):
        (bundle / f"{number:02}.bin").touch()
    with pytest.raises(BundleError) as refused:
        verify_bundle(bundle)
    first, *lines = str(refused.value).split("\n")
    assert first == f"{bundle} is damaged, or was changed:"
    assert lines[:20] == [f"  {number:02}.bin is not listed in SHA256SUMS" for number in range(min(extra, 20))]
    assert lines[20:] == ([f"  and {extra - 20} more"] if extra > 20 else [])


def test_a_file_s_name_cannot_move_the_cursor(bundle: Path) -> None:
    (bundle / "\x1b[2J").touch()
    with pytest.raises(BundleError, match=r"\\x1b\[2J is not listed"):
        verify_bundle(bundle)


def test_what_was_looked_at_is_in_the_verdict(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its engines, all but their answers is told; the user's classes reach whoever opens a network file."""
    asked = []
    no_checks = lambda golden, manifest, folder, classes, also_on: asked.append((folder, classes)) or iter(())  # noqa: E731
    monkeypatch.setattr("exporter.bundle.verify.golden_checks", no_checks)
    verdict = verify_bundle(bundle, {"mine:Net"})
    report = json.loads((bundle / "report" / "report.json").read_text())
    assert (verdict.folder, verdict.models, verdict.checks) == (bundle, 4, ())
    assert verdict.files == sum(path.is_file() for path in bundle.rglob("*")) - 1  # SHA256SUMS lists all but itself
    assert [p.sentence for p in verdict.promises] == [p["sentence"] for p in report["promises"]]
    verify_bundle(bundle)
    assert asked == [(bundle, {"mine:Net"}), (bundle, ())]


def test_a_re_signed_model_still_disagrees_with_the_manifest(bundle: Path, resign: Callable[[Path], None]) -> None:
    models = bundle / "models"
    shutil.copyfile(models / "mobile_deblur.fp16.tflite", models / "mobile_deblur.fp32.tflite")
    resign(bundle)
    says = rf"^{re.escape(str(bundle))} is damaged, or was changed:\n  .*fp32\.tflite is not the file of manifest\.json"
    with pytest.raises(BundleError, match=says):
        verify_bundle(bundle)


def test_what_contradicts_itself_is_said_of_this_folder(bundle: Path, resign: Callable[[Path], None]) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    (bundle / "manifest.json").write_text(json.dumps(manifest | {"name": "other"}))
    resign(bundle)
    with pytest.raises(BundleError, match=rf"^{re.escape(str(bundle))} is damaged, or was changed:\n  "):
        verify_bundle(bundle)


def test_a_manifest_that_does_not_fit_is_refused(bundle: Path, resign: Callable[[Path], None]) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    for change, where in (({"schema_version": 2}, "of schema version 2"), ({"surprise": 1}, "surprise")):
        (bundle / "manifest.json").write_text(json.dumps(manifest | change))
        resign(bundle)
        with pytest.raises(BundleError, match=where):
            verify_bundle(bundle)


def test_a_model_outside_the_folder_is_refused(bundle: Path, resign: Callable[[Path], None]) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["models"][0]["file"] = "models/../../secret.tflite"
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    resign(bundle)
    with pytest.raises(BundleError, match="models.0.file"):
        verify_bundle(bundle)


@pytest.mark.extra("old-runtime")
def test_a_model_that_answers_differently_fails_its_check(bundle: Path, resign: Callable[[Path], None]) -> None:
    mirror_golden(bundle)
    resign(bundle)
    verdict = verify_bundle(bundle)
    assert verdict.exit_code == 1
    failed = {check.name for check in verdict.checks if check.status == "failed"}
    assert failed == {f"models/mobile_deblur.int8.tflite on {name}" for name in ("litert_cpu", "tflite_runtime")}


def test_a_runtime_that_is_not_here_is_not_a_pass(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from exporter.runtimes.tflite_runtime import TfliteRuntime

    monkeypatch.setattr(TfliteRuntime, "missing", lambda self: "install it")
    verdict = verify_bundle(bundle)
    assert verdict.exit_code == 3
    assert [check.detail for check in verdict.checks if check.status == "not checked"] == ["install it"]


@pytest.mark.parametrize("vectors", [1, 2])
def test_a_measured_file_without_its_golden_vectors_is_no_bundle(
    bundle: Path, resign: Callable[[Path], None], vectors: int
) -> None:
    """Only a file that no runtime ran may be without: taken away, they would hide what an engine answers."""
    path = bundle / "golden" / "golden.json"
    golden = json.loads(path.read_text())
    for vector in golden["vectors"][:vectors]:
        for entry in vector["models"]:
            (bundle / entry["input"]).unlink(missing_ok=True)
            (bundle / entry["output"]).unlink()
        vector["models"] = []
    path.write_text(json.dumps(golden))
    resign(bundle)
    says = "vectors are not all for the same models" if vectors == 1 else "holds no vector for models/"
    with pytest.raises(BundleError, match=says):
        verify_bundle(bundle)


@pytest.mark.parametrize(("number", "fits"), [(2**63 - 1, True), (-(2**63), True), (2**64, False), (10**400, False)])
def test_whole_numbers_of_more_than_64_bits_are_refused(number: int, fits: bool, tmp_path: Path) -> None:
    class Numbers(BaseModel):
        schema_version: int
        a: int

    (tmp_path / "n.json").write_text(f'{{"schema_version": 1, "a": {number}}}')
    if fits:
        assert read_document(tmp_path, "n.json", Numbers, 1).a == number
    else:
        with pytest.raises(BundleError, match=r"n\.json is not JSON that can be trusted: .* beyond 64 bits"):
            read_document(tmp_path, "n.json", Numbers, 1)


def test_a_base_install_checks_the_digests(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It has no library that opens a model: that is said, and is no word on the bundle."""

    def absent(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'onnx'", name="onnx")

    monkeypatch.setattr("exporter.bundle.verify.model_problems", absent)
    assert main(["verify", str(bundle)]) == 3
    said = capfd.readouterr()
    assert re.match(r"checked: \d+ files against SHA256SUMS, all as they were written; what is in", said.out)
    assert "this needs onnx" in said.err
    (bundle / "README.md").write_text("other\n")
    assert main(["verify", str(bundle)]) == 2
