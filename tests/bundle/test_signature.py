"""A signed bundle: whoever changes it, however well, is found out, and the sentence says what was changed."""

from __future__ import annotations

import json
import shutil
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.bundle import sign_bundle, verify_bundle
from exporter.bundle.sums import OPENSSF, PROVENANCE, SIGNATURE, SUMS, digests, sums_text
from exporter.cli import main
from exporter.errors import BundleError, UnusablePath
from exporter.signing.keys import new_key_pair, read_public_key
from tests.bundle.changes import edit, put
from tests.bundle.conftest import tree

pytestmark = pytest.mark.extra("signing")
INT8 = "models/mobile_deblur.int8.tflite"
EVERY_RUNTIME = pytest.mark.extra("old-runtime")  # exit code 0 is of a bundle whose every file was run


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """our and another's Ed25519, and an ECDSA pair for phones."""
    folder = tmp_path_factory.mktemp("keys")
    for name, algorithm in (("our", "ed25519"), ("other", "ed25519"), ("phone", "ecdsa-p256")):
        new_key_pair(folder / name, algorithm)
    return folder


@pytest.fixture
def signed(bundle: Path, keys: Path) -> Path:
    sign_bundle(bundle, [keys / "our.key"])
    return bundle


def refused(bundle: Path, key: Path) -> str:
    with pytest.raises(BundleError) as caught:
        verify_bundle(bundle, key=key)
    return str(caught.value)


@EVERY_RUNTIME
def test_signed_by_this_key(signed: Path, pristine: Path, keys: Path) -> None:
    files = tree(signed)
    assert {file for file, data in files.items() if data != tree(pristine).get(file)} == {SIGNATURE}
    verdict = verify_bundle(signed, key=keys / "our.pub")
    assert verdict.exit_code == 0
    assert verdict.sentence.startswith(f"signed by the Ed25519 key {read_public_key(keys / 'our.pub').keyid[:16]}…; ")
    assert verify_bundle(signed).sentence.startswith("signed, not checked by whom (key ")
    sign_bundle(signed, [keys / "our.key"])
    assert tree(signed) == files, "Ed25519 signs alike, twice"


@EVERY_RUNTIME
def test_several_keys_sign(bundle: Path, keys: Path) -> None:
    sign_bundle(bundle, [keys / "our.key", keys / "phone.key"])
    for name in ("our", "phone"):
        assert verify_bundle(bundle, key=keys / f"{name}.pub").exit_code == 0
    assert "is signed by another key than the one given" in refused(bundle, keys / "other.pub")


def test_another_implementation_reads_the_envelope(signed: Path, keys: Path) -> None:
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError
    from securesystemslib.signer import SSlibKey

    envelope = Envelope.from_dict(json.loads((signed / SIGNATURE).read_text()))
    keyid = next(iter(envelope.signatures))
    for name in ("our", "other"):
        key = SSlibKey.from_crypto(load_pem_public_key((keys / f"{name}.pub").read_bytes()), keyid)
        if name == "our":
            assert envelope.verify([key], 1)
        else:
            with pytest.raises(VerificationError):
                envelope.verify([key], 1)
    assert envelope.payload == (signed / PROVENANCE).read_bytes()


def test_a_flipped_byte(signed: Path, keys: Path, resign: Callable[[Path], None]) -> None:
    data = bytearray((signed / INT8).read_bytes())
    data[-1] ^= 1
    (signed / INT8).write_bytes(data)
    assert f"{INT8} was changed: sha256" in refused(signed, keys / "our.pub")
    resign(signed)
    said = refused(signed, keys / "our.pub")
    assert f"{INT8} was changed after the bundle was signed" in said
    assert f"{PROVENANCE} is not the statement that was signed" in said
    assert "was changed after" in refused_without_key(signed)


def refused_without_key(bundle: Path) -> str:
    with pytest.raises(BundleError) as caught:
        verify_bundle(bundle)
    return str(caught.value)


def test_a_changed_file_whose_sum_alone_was_made_anew(signed: Path, keys: Path) -> None:
    (signed / "README.md").write_text("# Trust me\n")
    (signed / SUMS).write_text(sums_text(digests(signed)))
    said = refused(signed, keys / "our.pub").splitlines()
    assert [line.strip() for line in said[1:]] == ["README.md was changed after the bundle was signed"]


def test_added_removed_and_swapped_files(signed: Path, keys: Path, resign: Callable[[Path], None]) -> None:
    fp16 = signed / "models/mobile_deblur.fp16.tflite"
    whole, other = (signed / INT8).read_bytes(), fp16.read_bytes()
    (signed / "extra.bin").write_bytes(b"x")
    (signed / INT8).write_bytes(other)
    fp16.write_bytes(whole)
    (signed / "report" / "junit.xml").unlink()
    resign(signed)
    said = refused(signed, keys / "our.pub")
    assert "extra.bin was added after the bundle was signed" in said
    assert "report/junit.xml was removed after the bundle was signed" in said
    assert f"{INT8} was changed after" in said and "models/mobile_deblur.fp16.tflite was changed after" in said


@EVERY_RUNTIME
def test_a_tampering_that_somebody_else_signed(signed: Path, keys: Path, resign: Callable[[Path], None]) -> None:
    (signed / "README.md").write_text("# Trust me\n")
    resign(signed)
    sign_bundle(signed, [keys / "other.key"])
    assert verify_bundle(signed, key=keys / "other.pub").exit_code == 0
    ours, others = (read_public_key(keys / f"{name}.pub").keyid[:16] for name in ("our", "other"))
    said = refused(signed, keys / "our.pub")
    assert f"is signed by another key than the one given: by {others}…, not by the Ed25519 key {ours}…" in said
    edit(signed, SIGNATURE, put("signatures", 0, "keyid", read_public_key(keys / "our.pub").keyid))
    assert "the signature is not right" in refused(signed, keys / "our.pub")


def test_the_signature_of_another_bundle(signed: Path, keys: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(signed, tmp_path / "other"))
    statement = json.loads((signed / PROVENANCE).read_text())
    statement["predicate"]["buildDefinition"]["externalParameters"]["version"] = "0.9.0"
    (other / PROVENANCE).write_text(json.dumps(statement))
    from exporter.bundle.signature import write_signature
    from exporter.signing.keys import read_private_key

    write_signature(other, [read_private_key(keys / "our.key")])
    shutil.copyfile(other / SIGNATURE, signed / SIGNATURE)
    said = refused(signed, keys / "our.pub")
    assert f"{SIGNATURE} is the signature of mobile_deblur 0.9.0, this is mobile_deblur 1.0.0" in said


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not JSON"),
        (b"\x00\xff\xfe", "is not JSON"),
        (b"[]", "holds list, not an object"),
        (b"{}", "is no DSSE envelope: payload is missing"),
        (b'{"payload": "AA==", "payload": "AA=="}', "stands twice"),
    ],
)
def test_garbage_for_a_signature(signed: Path, keys: Path, content: bytes, says: str) -> None:
    (signed / SIGNATURE).write_bytes(content)
    assert says in refused(signed, keys / "our.pub")
    assert says in refused_without_key(signed)


def test_a_truncated_signature_file(signed: Path, keys: Path) -> None:
    whole = (signed / SIGNATURE).read_bytes()
    for length in (1, len(whole) // 2, len(whole) - 4):
        (signed / SIGNATURE).write_bytes(whole[:length])
        assert SIGNATURE in refused(signed, keys / "our.pub")


def test_a_changed_signature_or_payload(signed: Path, keys: Path) -> None:
    whole = (signed / SIGNATURE).read_text()
    edit(signed, SIGNATURE, put("signatures", 0, "sig", b64encode(b"\x00" * 64).decode()))
    assert "the signature is not right: it, or the statement in it, was changed" in refused(signed, keys / "our.pub")
    (signed / SIGNATURE).write_text(whole)
    edit(signed, SIGNATURE, put("payload", b64encode(b"{}").decode()))
    assert "the signature is not right" in refused(signed, keys / "our.pub")
    assert "what was signed is no in-toto statement v1" in refused_without_key(signed)


def test_no_signature(bundle: Path, keys: Path) -> None:
    assert f"is not signed: {SIGNATURE} is missing" in refused(bundle, keys / "our.pub")
    assert "signed" not in verify_bundle(bundle).sentence


@pytest.mark.parametrize("file", [SIGNATURE, OPENSSF])
def test_links_are_refused(signed: Path, keys: Path, tmp_path: Path, file: str) -> None:
    kept = tmp_path / "kept"
    shutil.copyfile(signed / SIGNATURE, kept)
    (signed / file).unlink(missing_ok=True)
    (signed / file).symlink_to(kept)
    assert f"{file} is not a plain file" in refused(signed, keys / "our.pub")


def test_what_is_damaged_is_not_signed(bundle: Path, keys: Path) -> None:
    (bundle / "README.md").write_text("x")
    with pytest.raises(BundleError, match=r"README\.md was changed"):
        sign_bundle(bundle, [keys / "our.key"])
    assert not (bundle / SIGNATURE).exists()


@EVERY_RUNTIME
def test_the_commands_exit_codes(bundle: Path, keys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sign", str(bundle), "--key", str(keys / "our.key")]) == 0
    assert main(["verify", str(bundle), "--key", str(keys / "our.pub"), "--json"]) == 0
    assert '"checked": true' in capsys.readouterr().out
    assert main(["verify", str(bundle), "--key", str(keys / "other.pub")]) == 2
    assert "error: " in capsys.readouterr().err
    (bundle / SUMS).unlink()
    assert main(["sign", str(bundle), "--key", str(keys / "our.key")]) == 2
    for words in ([], [str(bundle)], ["--key", "x"]):
        assert main(["sign", *words]) == 2
    assert main(["verify", str(bundle), "--openssf"]) == 2
    assert main(["sign", "--new-key", str(keys / "our")]) == 2
    assert "no key is overwritten" in capsys.readouterr().err


@pytest.mark.extra("model-signing")
def test_openssfs_format(bundle: Path, keys: Path, resign: Callable[[Path], None]) -> None:
    sign_bundle(bundle, [keys / "our.key", keys / "phone.key"], openssf=True)
    assert verify_bundle(bundle, key=keys / "phone.pub", openssf=True).exit_code == 0
    assert json.loads((bundle / OPENSSF).read_text())["mediaType"].startswith("application/vnd.dev.sigstore.bundle")
    with pytest.raises(UnusablePath, match="is a key of Ed25519: OpenSSF's format takes ECDSA P-256"):
        verify_bundle(bundle, key=keys / "our.pub", openssf=True)
    with pytest.raises(UnusablePath, match="and none was given"):
        sign_bundle(bundle, [keys / "our.key"], openssf=True)
    (bundle / "README.md").write_text("# Trust me\n")
    resign(bundle)
    (bundle / SIGNATURE).unlink()
    assert "README.md was changed after the bundle was signed in OpenSSF's format" in refused_without_key(bundle)
    from exporter.bundle.openssf import check_openssf_signature

    with pytest.raises(BundleError, match=r"model\.sig does not verify: .*README\.md"):
        check_openssf_signature(bundle, keys / "phone.pub")
    (bundle / OPENSSF).write_text("{}")
    with pytest.raises(BundleError, match=r"model\.sig does not verify"):
        check_openssf_signature(bundle, keys / "phone.pub")
    assert "model.sig is no DSSE envelope: payload is missing" in refused_without_key(bundle)
    sign_bundle(bundle, [keys / "our.key"])
    with pytest.raises(BundleError, match=r"not signed in OpenSSF's format: model\.sig is missing"):
        check_openssf_signature(bundle, keys / "phone.pub")
