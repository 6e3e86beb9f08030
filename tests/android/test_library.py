"""The demo as an app that depends on a packed bundle: it compiles, and its Java finds and checks what went along."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from build_apk import MIN_SDK, build_apk
from library import Library

from exporter.bundle import sign_bundle
from exporter.bundle.manifest import read_manifest
from exporter.cli import main
from exporter.errors import BundleError
from exporter.signing.keys import new_key_pair, read_public_key
from tests.android.conftest import DEMO
from tools.toolchains.apk import ApkToolchain


def pack(bundle: Path, out: Path, *words: str) -> Path:
    assert main(["pack", str(bundle), "--as", "aar", "--folder", "bundle", "--out", str(out), *words]) == 0
    return out


@pytest.mark.slow
def test_the_demo_compiles_against_the_library(android: ApkToolchain, bundle: Path, tmp_path: Path) -> None:
    aar = pack(bundle, tmp_path / "deblur.aar", "--target", "tflite_int8", "--target", "tflite_fp16")
    build_apk(android, DEMO, aar, tmp_path / "demo.apk", say=lambda line: None)
    with zipfile.ZipFile(tmp_path / "demo.apk") as apk, zipfile.ZipFile(aar) as library:
        models = [name for name in apk.namelist() if "/models/" in name]
        assert models == [f"assets/bundle/models/mobile_deblur.{kind}.tflite" for kind in ("fp16", "int8")]
        for name in (*models, "assets/bundle/manifest.json"):
            assert apk.read(name) == library.read(name)


@pytest.mark.slow
def test_a_library_that_asks_for_more_is_refused(android: ApkToolchain, bundle: Path, tmp_path: Path) -> None:
    aar = pack(bundle, tmp_path / "deblur.aar")
    Library(aar, tmp_path / "taken").check(android, MIN_SDK)
    with pytest.raises(BundleError, match="wants Android API 21, the app runs on 20"):
        Library(aar, tmp_path / "refused").check(android, 20)
    aar.write_bytes(aar.read_bytes()[:100])
    with pytest.raises(BundleError, match="is no library"):
        Library(aar, tmp_path / "half")


@pytest.mark.extra("signing")
def test_java_checks_the_signature_of_what_was_packed(bundle: Path, ask: Callable[..., bytes], tmp_path: Path) -> None:
    signed = Path(shutil.copytree(bundle, tmp_path / "signed"))
    private, public = new_key_pair(tmp_path / "phones", "ecdsa-p256")
    sign_bundle(signed, [private])
    every = [word for name in read_manifest(signed).judged for word in ("--target", name)]
    good = Library(pack(signed, tmp_path / "deblur.aar", *every), tmp_path / "good").bundle
    bad = Path(shutil.copytree(good, tmp_path / "bad"))
    model = bad / "models" / "mobile_deblur.int8.tflite"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    said = ask(tmp_path, "signed", b"", public, good, bad).decode().splitlines()
    key = read_public_key(public)
    assert said[0] == f"signed by the {key.algorithm} key {key.keyid[:16]}…"
    assert "models/mobile_deblur.int8.tflite was changed after the bundle was signed" in said[1]
