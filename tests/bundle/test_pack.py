"""A bundle in the forms that apps take: nothing is changed on the way, and nothing that does not verify goes out."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import get_args

import pytest

from exporter.bundle import sign_bundle
from exporter.bundle.sums import SIGNATURE
from exporter.cli import main
from exporter.commands import pack as command
from exporter.packing import FORMS, Delivery
from exporter.packing.pack import refusal
from exporter.signing.keys import new_key_pair
from tests.bundle.changes import MANIFEST, edit, put
from tests.bundle.conftest import mirror_golden, tree
from tests.bundle.test_verdict import ABSENT, EXCUSED, FAILED, KEPT, MISSED, PASSED, UNCHECKED, verdict

TFLITE = {f"models/mobile_deblur.{kind}.tflite" for kind in ("fp32", "fp16", "int8")}
INT8 = "models/mobile_deblur.int8.tflite"
Capture = pytest.CaptureFixture[str]
not_run = pytest.mark.usefixtures("models_not_run")


def pack(bundle: Path, form: str, out: Path, *words: str) -> int:
    return main(["pack", str(bundle), "--as", form, "--out", str(out), *words])


def packed(bundle: Path, form: str, out: Path, *words: str) -> dict[str, bytes]:
    """What was packed, file by file."""
    assert pack(bundle, form, out, *words) == 0
    if out.is_dir():
        return tree(out)
    with zipfile.ZipFile(out) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def home(form: str) -> str:
    return {"aar": "assets/", "ai-pack": "mobile_deblur/src/main/assets/", "assets": ""}[form] + "mobile_deblur/"


def test_the_command_has_the_forms_and_deliveries() -> None:
    assert tuple(command.FORMS) == tuple(FORMS)
    assert get_args(Delivery) == command.DELIVERIES


@not_run
@pytest.mark.parametrize(("form", "ending"), [("aar", ".aar"), ("ai-pack", ""), ("ai-pack", ".zip"), ("assets", "")])
def test_what_is_unpacked_is_what_the_manifest_names(pristine: Path, tmp_path: Path, form: str, ending: str) -> None:
    files = packed(pristine, form, tmp_path / f"out{ending}")
    manifest = json.loads(files[f"{home(form)}manifest.json"])
    named = {model["file"]: model["sha256"] for model in manifest["models"]}
    models = {name.removeprefix(home(form)): data for name, data in files.items() if "/models/" in name}
    assert models.keys() == TFLITE
    for file, data in models.items():
        assert sha256(data).hexdigest() == named[file]
    bundle = tree(pristine)
    for name, data in files.items():
        short = name.removeprefix(home(form))
        if name.startswith(home(form)) and short != "LICENSE.txt":
            assert data == bundle[short], short
    assert "Licence of the models: Apache-2.0" in files[f"{home(form)}LICENSE.txt"].decode()
    assert f"{home(form)}sbom.cdx.json" in files
    assert not any("report" in name for name in files)


@not_run
def test_the_same_bundle_gives_the_same_bytes(pristine: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(pristine, tmp_path / "elsewhere" / pristine.name))
    for path in copy.rglob("*"):
        path.chmod(0o700)
    archives = [tmp_path / "one.aar", tmp_path / "two.aar"]
    assert pack(pristine, "aar", archives[0]) == pack(copy, "aar", archives[1]) == 0
    assert archives[0].read_bytes() == archives[1].read_bytes()
    with zipfile.ZipFile(archives[0]) as archive:
        entries = archive.infolist()
        assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
        assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
        assert {(entry.date_time, entry.external_attr >> 16) for entry in entries} == {
            ((1980, 1, 1, 0, 0, 0), 0o100644)
        }


@not_run
def test_a_library_asks_for_nothing_and_holds_no_code(pristine: Path, tmp_path: Path) -> None:
    files = packed(pristine, "aar", tmp_path / "out.aar", "--package", "com.example.deblur")
    library = ElementTree.fromstring(files["AndroidManifest.xml"])
    assert library.attrib == {"package": "com.example.deblur"}
    assert [child.tag for child in library] == ["uses-sdk"]
    assert any(key.endswith("targetSdkVersion") for key in library[0].attrib), "or it counts as one for Android 1"
    (tmp_path / "classes.jar").write_bytes(files["classes.jar"])
    with zipfile.ZipFile(tmp_path / "classes.jar") as jar:
        assert jar.namelist() == ["META-INF/MANIFEST.MF"]
    assert "proguard.txt" not in files


@not_run
def test_targets_folder_and_golden_vectors_are_chosen(pristine: Path, tmp_path: Path, capsys: Capture) -> None:
    words = ["--target", "tflite_int8", "--folder", "bundle"]
    files = packed(pristine, "assets", tmp_path / "int8", *words)
    assert {name for name in files if "/models/" in name} == {f"bundle/{INT8}"}
    vectors = [name for name in files if name.endswith(".output.npy")]
    assert len(vectors) == 2 and all(".int8.tflite." in name for name in vectors)
    files = packed(pristine, "assets", tmp_path / "small", "--without-golden")
    assert not any("golden" in name for name in files)
    capsys.readouterr()
    assert pack(pristine, "assets", tmp_path / "j.zip", "--target", "tflite_int8", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["written"] and said["path"] == (tmp_path / "j.zip").as_posix() and said["models"] == [INT8]
    assert pack(pristine, "assets", tmp_path / "none", "--target", "tflite_int9") == 2
    assert "did you mean 'tflite_int8'?" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


@not_run
def test_a_pack_for_google_play(pristine: Path, tmp_path: Path) -> None:
    words = ["--delivery", "on-demand", "--target", "tflite_int8", "--group", "high_ram=tflite_fp16,tflite_int8"]
    files = packed(pristine, "ai-pack", tmp_path / "out", *words)
    module = files["mobile_deblur/build.gradle.kts"].decode()
    for line in ('id("com.android.ai-pack")', 'packName = "mobile_deblur"', 'deliveryType = "on-demand"'):
        assert line in module
    models = {name.removeprefix(home("ai-pack")) for name in files if "/models" in name}
    assert models == {
        "models#group_other/mobile_deblur.int8.tflite",
        "models#group_high_ram/mobile_deblur.int8.tflite",
        "models#group_high_ram/mobile_deblur.fp16.tflite",
    }
    assert f"{home('ai-pack')}golden/0_noise.mobile_deblur.fp16.tflite.output.npy" in files
    guide = files["README.md"].decode()
    assert "`high_ram`" in guide and 'getPackLocation("mobile_deblur")' in guide


@pytest.mark.extra("signing")
@not_run
def test_signatures_go_along_and_are_demanded(bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    ours, others = new_key_pair(tmp_path / "our", "ecdsa-p256"), new_key_pair(tmp_path / "other", "ecdsa-p256")
    assert pack(bundle, "aar", tmp_path / "out.aar", "--key", str(ours[1])) == 2
    assert "is not signed" in capsys.readouterr().err
    sign_bundle(bundle, [ours[0]])
    files = packed(bundle, "aar", tmp_path / "out.aar", "--key", str(ours[1]))
    assert files[f"{home('aar')}{SIGNATURE}"] == (bundle / SIGNATURE).read_bytes()
    before = (tmp_path / "out.aar").read_bytes()
    assert pack(bundle, "aar", tmp_path / "out.aar", "--key", str(others[1])) == 2
    assert (tmp_path / "out.aar").read_bytes() == before, "the former one stays"


def test_what_does_not_verify_is_not_packed(
    bundle: Path, tmp_path: Path, resign: Callable[[Path], None], capsys: Capture
) -> None:
    data = bytearray((bundle / INT8).read_bytes())
    data[-1] ^= 1
    (bundle / INT8).write_bytes(data)
    out = tmp_path / "out"
    assert pack(bundle, "assets", out) == 2
    assert f"{INT8} was changed" in capsys.readouterr().err
    edit(bundle, MANIFEST, put("models", 2, "file", "models/../../out.tflite"))
    resign(bundle)
    assert pack(bundle, "assets", out) == 2
    assert [path.name for path in tmp_path.iterdir()] == [bundle.name], "nothing was written, nothing half-written left"


def test_what_answers_otherwise_here_is_not_packed(
    bundle: Path, tmp_path: Path, resign: Callable[[Path], None], capsys: Capture
) -> None:
    mirror_golden(bundle)
    resign(bundle)
    assert pack(bundle, "assets", tmp_path / "out") == 1
    said = capsys.readouterr().out
    assert "failed: models/mobile_deblur.int8.tflite on litert_cpu" in said and "nothing was packed" in said
    assert not (tmp_path / "out").exists()


def test_what_was_not_measured_is_not_kept_and_what_cannot_be_run_here_is_no_reason() -> None:
    assert refusal(verdict(PASSED, KEPT, EXCUSED)) == 0
    assert refusal(verdict(UNCHECKED, KEPT)) == 0
    assert refusal(verdict(PASSED, KEPT, ABSENT)) == 3
    assert refusal(verdict(FAILED, KEPT, ABSENT)) == refusal(verdict(PASSED, MISSED)) == 1


@not_run
def test_what_lies_there_is_not_replaced(pristine: Path, bundle: Path, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "assets"
    assert pack(pristine, "assets", out) == pack(pristine, "assets", out) == 0
    assert "is there already, and holds just this" in capsys.readouterr().out
    (out / "mine.txt").write_text("mine")
    assert pack(pristine, "assets", out) == 2
    assert "holds something else" in capsys.readouterr().err
    assert (out / "mine.txt").exists()
    assert pack(bundle, "aar", bundle / "out.aar") == 2
    assert "lies in the bundle" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--as", "aar", "--out", "out.zip"], "ends in .aar"),
        (["--as", "assets", "--out", "out.aar"], ".aar is for --as aar"),
        (["--as", "assets", "--folder", "../up"], "cannot name a folder of assets"),
        (["--as", "assets", "--folder", "_hidden"], "cannot name a folder of assets"),
        (["--as", "aar", "--package", "deblur"], "no package of Java"),
        (["--as", "assets", "--package", "com.example"], "--package is for --as aar"),
        (["--as", "aar", "--delivery", "on-demand"], "--delivery is for --as ai-pack"),
        (["--as", "ai-pack", "--group", "high_ram"], "is not GROUP=TARGET"),
        (["--as", "ai-pack", "--group", "other=tflite_int8"], "cannot name a group of devices"),
    ],
)
def test_words_that_do_not_fit(
    pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, words: list[str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["pack", str(pristine), *words]) == 2
    assert sentence in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
