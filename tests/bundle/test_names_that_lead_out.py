"""A bundle opens the files of its own folder and no other, whatever its JSON names."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import build_apk
import numpy as np
import pytest

from exporter.bundle import verify_bundle
from exporter.errors import BundleError
from tools import arm_gate


@pytest.fixture
def secret(bundle: Path) -> Path:
    """A well-formed array beside the bundle that nothing in it may reach."""
    file = bundle.parent / "secret.npy"
    np.save(file, np.zeros((32, 32, 3), np.uint8))
    return file


def name_in_golden(bundle: Path, key: str, name: str) -> None:
    file = bundle / "golden" / "golden.json"
    golden = json.loads(file.read_text())
    vector = golden["vectors"][0]
    for part in (vector, *vector["models"]):
        if key in part:
            part[key] = name
    file.write_text(json.dumps(golden))


@pytest.mark.parametrize("key", ["pixels", "output"])
@pytest.mark.parametrize("kind", ["up", "absolute", "sideways"])
def test_golden_vectors_outside_are_refused(
    bundle: Path, secret: Path, resign: Callable[[Path], None], key: str, kind: str
) -> None:
    name = {"up": "../secret.npy", "absolute": str(secret), "sideways": "golden/../../secret.npy"}[kind]
    name_in_golden(bundle, key, name)
    resign(bundle)
    with pytest.raises(BundleError, match=r"golden\.json names .*secret\.npy, which leads out"):
        verify_bundle(bundle)


def test_the_arm_proof_asks_the_same_function(bundle: Path, secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arm_gate, "LiteRtArm", lambda *_: SimpleNamespace(missing=lambda: None, open=None))
    name_in_golden(bundle, "pixels", "../secret.npy")
    with pytest.raises(BundleError, match="leads out"):
        arm_gate.prove_on_arm(bundle)


def test_a_golden_file_that_promises_more_than_it_holds_takes_no_memory(
    bundle: Path, resign: Callable[[Path], None]
) -> None:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000,), }\n"
    bomb = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    for file in bundle.glob("golden/*.npy"):
        file.write_bytes(bomb)
    resign(bundle)
    with pytest.raises(BundleError, match="promises"):
        verify_bundle(bundle)


def test_a_link_in_a_bundle_is_refused(bundle: Path, secret: Path, resign: Callable[[Path], None]) -> None:
    (file,) = list(bundle.glob("golden/*.npy"))[:1]
    file.unlink()
    file.symlink_to(secret)
    with pytest.raises(BundleError, match="is not a plain file"):
        verify_bundle(bundle)


@pytest.mark.parametrize("name", ["../secret.npy", "/etc/passwd", "models/absent.tflite"])
def test_an_apk_packs_nothing_from_outside(bundle: Path, secret: Path, name: str) -> None:
    manifest = json.loads((bundle / "manifest.json").read_text())
    next(model for model in manifest["models"] if model["format"] == "tflite")["file"] = name
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="which (leads out|is missing)"):
        build_apk._models(bundle)
