"""Key pairs: PEM files, nobody else's to read, never overwritten. What is no key is a sentence."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from exporter.errors import UnusablePath
from exporter.signing.keys import ALGORITHMS, new_key_pair, read_private_key, read_public_key

pytestmark = pytest.mark.extra("signing")


@pytest.fixture(scope="module", params=ALGORITHMS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return new_key_pair(tmp_path_factory.mktemp("keys") / "our.release", request.param)


def test_a_pair_signs_and_checks(pair: tuple[Path, Path]) -> None:
    private, public = read_private_key(pair[0]), read_public_key(pair[1])
    signature = private.sign(b"said")
    assert public.verifies(signature, b"said")
    assert not public.verifies(signature, b"Said")
    assert not public.verifies(signature[:-1], b"said")
    assert not public.verifies(b"", b"said")
    assert private.public.keyid == public.keyid
    assert public.algorithm in ALGORITHMS.values()


def test_the_private_part_is_its_owners_alone(pair: tuple[Path, Path]) -> None:
    assert [path.name for path in pair] == ["our.release.key", "our.release.pub"]
    assert stat.S_IMODE(pair[0].stat().st_mode) == 0o600
    assert pair[0].read_text().startswith("-----BEGIN PRIVATE KEY-----\n")
    assert pair[1].read_text().startswith("-----BEGIN PUBLIC KEY-----\n")


@pytest.mark.parametrize("there", ["k.key", "k.pub"])
def test_nothing_is_overwritten(there: str, tmp_path: Path) -> None:
    (tmp_path / there).write_text("mine")
    with pytest.raises(UnusablePath, match=rf"{there} is there already: no key is overwritten"):
        new_key_pair(tmp_path / "k", "ed25519")
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_a_link_that_leads_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "k.key").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnusablePath, match="is there already"):
        new_key_pair(tmp_path / "k", "ed25519")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ["", ".", "/"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(UnusablePath, match="names no key"):
        new_key_pair(Path(name), "ed25519")


def test_each_part_in_its_place(pair: tuple[Path, Path]) -> None:
    with pytest.raises(UnusablePath, match="is a public key: signing takes the private one"):
        read_private_key(pair[1])
    with pytest.raises(UnusablePath, match="is a private key: checking takes the public one"):
        read_public_key(pair[0])


def test_what_is_no_key_is_a_sentence(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    file = tmp_path / "file"
    for content in (b"", b"\x00\xff" * 50, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        file.write_bytes(content)
        with pytest.raises(UnusablePath, match="is no private key in a PEM file"):
            read_private_key(file)
    file.write_bytes(b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")
    with pytest.raises(UnusablePath, match="is no public key in a PEM file"):
        read_public_key(file)
    key = rsa.generate_private_key(65537, 1024)
    file.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(UnusablePath, match="of another kind: Ed25519 and ECDSA P-256 are known"):
        read_public_key(file)
    other = ec.generate_private_key(ec.SECP384R1())
    file.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(UnusablePath, match="of another kind"):
        read_private_key(file)
    file.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    with pytest.raises(UnusablePath, match="is protected by a password"):
        read_private_key(file)
    with pytest.raises(UnusablePath, match="gone is missing: it should be a key"):
        read_private_key(tmp_path / "gone")
    with pytest.raises(UnusablePath, match="is no plain file: it should be a key"):
        read_public_key(tmp_path)
