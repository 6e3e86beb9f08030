"""Writing, re-opening and tampering with a bundle of real model files."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from exporter.artifact import sha256_of
from exporter.bundle import Golden, reproducible_files, verify_bundle, write_bundle
from exporter.bundle.card import runtime_card
from exporter.bundle.manifest import read_manifest, tiling_part
from exporter.bundle.tflite_metadata import read_metadata
from exporter.errors import BundleError, DiskFull, RecipeError
from exporter.tiling.grid import Tiling
from exporter.verify.results import NotMeasured, Outcome, Tiled
from tests.bundle.conftest import SIDE

Finished = tuple[Outcome, tuple[Golden, ...]]


@pytest.fixture(scope="module")
def pristine(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(*finished, tmp_path_factory.mktemp("dist"), multiple=4)


@pytest.fixture
def bundle(pristine: Path, tmp_path: Path) -> Path:
    """A copy to do harm to."""
    return Path(shutil.copytree(pristine, tmp_path / pristine.name))


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


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
        return " ".join(runtime_card(manifest.model_copy(update={"tiling": part}), pristine).split())

    short = " ".join((pristine / "README.md").read_text().split())
    assert "the receptive field reaches 24 px, exact tiles would need 52 px or more" in short
    assert "61.5 dB from the whole picture" in short
    exact = Tiled(Tiling(SIDE, SIDE, 4, 4), 4, None, images=8, psnr_db=200.0, max_abs=3e-7)
    assert "That is exact: the receptive field reaches 4 px" in card(exact)
    unbounded = Tiled(Tiling(SIDE, SIDE, 8, 4, 4), None, "ReduceMean takes statistics", 8, 50.0, 0.02)
    assert "looks at the whole picture (ReduceMean" in card(unbounded)
    assert "was not measured: it crashed" in card(NotMeasured("it crashed"))


def test_sha256sum_agrees(pristine: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=pristine, check=True)


def test_it_verifies_from_the_folder_alone(bundle: Path) -> None:
    verdict = verify_bundle(bundle)
    assert verdict.exit_code == 0, [c for c in verdict.checks if c.status != "passed"]
    ran = {check.name for check in verdict.checks if " on " in check.name}
    assert "models/mobile_deblur.int8.tflite on tflite_runtime" in ran
    assert len(ran) == 5


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


def test_two_writes_differ_in_the_report_alone(finished: Finished, pristine: Path, tmp_path: Path) -> None:
    outcome, golden = finished
    slower = tuple(
        replace(t, latency=replace(t.latency, samples_ms=tuple(2 * ms for ms in t.latency.samples_ms)))
        for t in outcome.targets
    )
    again = replace(outcome, targets=slower, stage_seconds={"prune": 1.0})
    other = write_bundle(again, golden, tmp_path, multiple=4)
    assert reproducible_files(other) == reproducible_files(pristine)
    assert "models/mobile_deblur.int8.tflite" in reproducible_files(other)
    differing = {file for file, data in tree(other).items() if data != tree(pristine)[file]}
    assert differing == {"report/index.html", "report/report.json", "SHA256SUMS"}


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
    with pytest.raises(BundleError, match="not a folder"):
        verify_bundle(tmp_path / "nothing")


def test_a_re_signed_model_still_disagrees_with_the_manifest(bundle: Path, resign: Callable[[Path], None]) -> None:
    models = bundle / "models"
    shutil.copyfile(models / "mobile_deblur.fp16.tflite", models / "mobile_deblur.fp32.tflite")
    resign(bundle)
    with pytest.raises(BundleError, match="mobile_deblur.fp32.tflite is not the file of manifest.json"):
        verify_bundle(bundle)


def test_a_manifest_that_does_not_fit_is_refused(bundle: Path, resign: Callable[[Path], None]) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    for change, where in (({"schema_version": 2}, "schema_version"), ({"surprise": 1}, "surprise")):
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


def test_a_wrong_tensor_spec_fails_its_check(bundle: Path, resign: Callable[[Path], None]) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    int8 = next(m for m in manifest["models"] if m["file"].endswith("int8.tflite"))
    int8["output"]["zero_point"] = -127
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    resign(bundle)
    failed = [check for check in verify_bundle(bundle).checks if check.status == "failed"]
    assert any(check.name == "models/mobile_deblur.int8.tflite: tensors" for check in failed)


def test_a_model_that_answers_differently_fails_its_check(bundle: Path, resign: Callable[[Path], None]) -> None:
    path = bundle / "golden" / "0_noise.mobile_deblur.int8.tflite.output.npy"
    expected = np.load(path)
    np.save(path, np.ascontiguousarray(expected[:, ::-1]))
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


@pytest.mark.parametrize("where", ["stamp", "golden", "report"])
def test_a_full_disk_leaves_the_former_bundle_and_no_trace(
    finished: Finished, bundle: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    outcome, golden = finished
    before = tree(bundle)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    name = {
        "stamp": "exporter.bundle.write.shutil.copyfile",
        "golden": "exporter.bundle.golden._save",
        "report": "exporter.report.write_report",
    }[where]
    monkeypatch.setattr(name, full)
    with pytest.raises(DiskFull, match="mobile_deblur-1.0.0"):
        write_bundle(outcome, golden, bundle.parent)
    assert tree(bundle) == before
    assert [path.name for path in bundle.parent.iterdir()] == [bundle.name]


def test_a_failed_last_step_puts_the_former_bundle_back(
    finished: Finished, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(bundle)
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.name.endswith(".unfinished"):
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(*finished, bundle.parent)
    assert tree(bundle) == before
    assert [path.name for path in bundle.parent.iterdir()] == [bundle.name]


def test_what_a_killed_run_left_is_put_right(finished: Finished, bundle: Path) -> None:
    """Killed between moving the former bundle aside and moving the new one in."""
    dist = bundle.parent
    bundle.rename(dist / f".{bundle.name}.former")
    (dist / f".{bundle.name}.unfinished").mkdir()
    (dist / f".{bundle.name}.unfinished" / "models").mkdir()
    again = write_bundle(*finished, dist, multiple=4)
    assert verify_bundle(again).exit_code == 0
    assert [path.name for path in dist.iterdir()] == [bundle.name]


def test_files_that_would_share_a_name_carry_their_targets(finished: Finished, tmp_path: Path) -> None:
    outcome, golden = finished
    fp32, fp16 = outcome.targets[:2]
    alike = replace(fp16, artifact=replace(fp16.artifact, precision="fp32"))
    made = write_bundle(replace(outcome, targets=(fp32, alike)), golden, tmp_path)
    names = {path.name for path in (made / "models").iterdir()}
    assert names == {"mobile_deblur.tflite_fp32.fp32.tflite", "mobile_deblur.tflite_fp16.fp32.tflite"}


def test_names_that_leave_the_folder_are_refused(finished: Finished, tmp_path: Path) -> None:
    outcome, golden = finished
    for name in ("../escape", "a/b", "", "a b"):
        with pytest.raises(RecipeError, match="cannot name a folder"):
            write_bundle(replace(outcome, name=name), golden, tmp_path)
    with pytest.raises(BundleError, match="nothing to ship"):
        write_bundle(replace(outcome, targets=()), golden, tmp_path)
    assert list(tmp_path.iterdir()) == []


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
