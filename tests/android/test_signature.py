"""What Python signed, the app's Java checks: it takes that, and refuses every way to change it, with a sentence."""

from __future__ import annotations

import json
import shutil
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.bundle import sign_bundle
from exporter.bundle.attest import write_attestations
from exporter.bundle.sums import PROVENANCE, SBOM, SIGNATURE, SUMS, digests, sums_text
from exporter.signing.keys import new_key_pair, read_public_key

pytestmark = pytest.mark.extra("signing")
INT8 = "models/mobile_deblur.int8.tflite"
UNTRUSTED = "is not signed by a key that this app trusts"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    for name, algorithm in (("our", "ed25519"), ("phone", "ecdsa-p256"), ("other", "ed25519")):
        new_key_pair(folder / name, algorithm)
    (folder / "both.pub").write_text((folder / "other.pub").read_text() + (folder / "phone.pub").read_text())
    (folder / "none.pub").write_text("-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n")
    return folder


@pytest.fixture(scope="module")
def signed(bundle: Path, keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(bundle, tmp_path_factory.mktemp("signed") / bundle.name))
    sign_bundle(folder, [keys / "our.key", keys / "phone.key"])
    return folder


Ask = Callable[..., bytes]


def said(ask: Ask, scratch: Path, pem: Path, *folders: Path) -> list[str]:
    return ask(scratch, "signed", b"", pem, *folders).decode().splitlines()


@pytest.mark.parametrize(("trusted", "signer"), [("our", "our"), ("phone", "phone"), ("both", "phone")])
def test_java_takes_what_python_signed(
    signed: Path, keys: Path, ask: Ask, tmp_path: Path, trusted: str, signer: str
) -> None:
    key = read_public_key(keys / f"{signer}.pub")
    assert said(ask, tmp_path, keys / f"{trusted}.pub", signed) == [
        f"signed by the {key.algorithm} key {key.keyid[:16]}…"
    ]


def test_java_refuses_every_tampering(signed: Path, bundle: Path, keys: Path, ask: Ask, tmp_path: Path) -> None:
    cases: dict[str, tuple[Callable[[Path], object], str]] = {
        "a flipped byte": (flip(INT8), f"{INT8} was changed after the bundle was signed"),
        "a flipped byte, all sums made anew": (summed(flip(INT8)), f"{INT8} was changed after"),
        "another manifest": (flip("manifest.json"), "manifest.json was changed after"),
        "another golden vector list": (flip("golden/golden.json"), "golden/golden.json was changed after"),
        "a model that was added": (summed(added), "manifest.json was changed after"),
        "signed by somebody else": (lambda f: sign_bundle(f, [keys / "other.key"]), UNTRUSTED),
        "no signature": (lambda f: (f / SIGNATURE).unlink(), f"is not signed: {SIGNATURE} is missing"),
        "an empty signature": (lambda f: (f / SIGNATURE).write_bytes(b""), SIGNATURE),
        "garbage": (lambda f: (f / SIGNATURE).write_bytes(b"\x00\xff{"), SIGNATURE),
        "half a signature": (halved, SIGNATURE),
        "no base64": (in_envelope("payload", "!!!!"), "is damaged: character 0 is no digit"),
        "another payload": (in_envelope("payload", b64encode(b'{"subject": []}').decode()), UNTRUSTED),
        "another type": (in_envelope("payloadType", "text/plain"), "of another type"),
        "no signatures": (in_envelope("signatures", []), UNTRUSTED),
        "a signature of zeros": (in_envelope("signatures", [{"sig": b64encode(bytes(64)).decode()}]), UNTRUSTED),
        "a signature of nothing": (in_envelope("signatures", [{"sig": ""}]), UNTRUSTED),
    }
    folders = []
    for number, (harm, _) in enumerate(cases.values()):
        folders.append(Path(shutil.copytree(signed, tmp_path / f"{number}")))
        harm(folders[-1])
    for pem in ("our.pub", "phone.pub"):
        lines = said(ask, tmp_path, keys / pem, *folders)
        for (case, (_, sentence)), line in zip(cases.items(), lines, strict=True):
            assert sentence in line, f"{pem}, {case}: {line}"


def test_keys_that_are_none(signed: Path, keys: Path, ask: Ask, tmp_path: Path) -> None:
    assert said(ask, tmp_path, keys / "none.pub", signed) == [
        "a trusted key is of another kind than Ed25519 and ECDSA P-256"
    ]
    assert said(ask, tmp_path, keys / "our.key", signed) == ["the trusted keys hold no public key"]


def flip(file: str) -> Callable[[Path], object]:
    def harm(folder: Path) -> None:
        data = bytearray((folder / file).read_bytes())
        data[-2] ^= 1
        (folder / file).write_bytes(data)

    return harm


def summed(change: Callable[[Path], object]) -> Callable[[Path], object]:
    """The change, and sums and statements that agree with it."""

    def harm(folder: Path) -> None:
        change(folder)
        for file in (SBOM, PROVENANCE):
            (folder / file).unlink()
        write_attestations(folder)
        (folder / SUMS).write_text(sums_text(digests(folder)))

    return harm


def added(folder: Path) -> None:
    shutil.copyfile(folder / INT8, folder / "models" / "more.tflite")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["models"].append(manifest["models"][0] | {"file": "models/more.tflite", "targets": []})
    manifest["models"][-1]["targets"] = [manifest["models"][0]["targets"][0] | {"name": "more"}]
    (folder / "manifest.json").write_text(json.dumps(manifest))


def halved(folder: Path) -> None:
    whole = (folder / SIGNATURE).read_bytes()
    (folder / SIGNATURE).write_bytes(whole[: len(whole) // 2])


def in_envelope(key: str, value: object) -> Callable[[Path], object]:
    def harm(folder: Path) -> None:
        envelope = json.loads((folder / SIGNATURE).read_text())
        (folder / SIGNATURE).write_text(json.dumps(envelope | {key: value}))

    return harm
