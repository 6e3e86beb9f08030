"""Key pairs as PEM files: Ed25519, and ECDSA on P-256 for whoever cannot check Ed25519 (Android, OpenSSF's tools).

A private key is PKCS #8, a public one X.509 SubjectPublicKeyInfo, as `openssl genpkey` and `openssl pkey -pubout` write
them. The cryptography is that of the package `cryptography`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.errors import MissingTool, UnusablePath

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ALGORITHMS = {"ed25519": "Ed25519", "ecdsa-p256": "ECDSA P-256"}  # as the command names them -> as people do
LARGEST_BYTES = 1 << 16  # no key takes more
PRIVATE_MODE = 0o600
_OURS = " and ".join(ALGORITHMS.values())


class PublicKey:
    """Checks signatures."""

    def __init__(self, key: Ed25519PublicKey | EllipticCurvePublicKey) -> None:
        self._key = key

    @property
    def algorithm(self) -> str:
        """ "Ed25519" or "ECDSA P-256"."""
        return ALGORITHMS["ecdsa-p256" if hasattr(self._key, "curve") else "ed25519"]

    @property
    def keyid(self) -> str:
        """SHA-256 of the SubjectPublicKeyInfo in DER, 64 hex digits."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return sha256(self._key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()

    @property
    def pem(self) -> bytes:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether the private key of this one made `signature` for `data`."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            if isinstance(self._key, Ed25519PublicKey):
                self._key.verify(signature, data)
            else:
                self._key.verify(signature, data, _ecdsa())
        except InvalidSignature:
            return False
        return True


class PrivateKey:
    """Signs."""

    def __init__(self, key: Ed25519PrivateKey | EllipticCurvePrivateKey) -> None:
        self._key = key

    @property
    def public(self) -> PublicKey:
        return PublicKey(self._key.public_key())

    def sign(self, data: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return self._key.sign(data) if isinstance(self._key, Ed25519PrivateKey) else self._key.sign(data, _ecdsa())


def read_private_key(path: Path) -> PrivateKey:
    """Raises UnusablePath for what is no private key of ours, MissingTool without `cryptography`."""
    with _cryptography():
        from cryptography.exceptions import InternalError, UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    content = _content(path)
    if b"-----BEGIN PUBLIC KEY" in content:
        raise UnusablePath(f"{path} is a public key: signing takes the private one")
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError:
        raise UnusablePath(
            f"{path} is protected by a password", hint="openssl pkey -in KEY -out NEW takes it away"
        ) from None
    except (ValueError, UnsupportedAlgorithm, InternalError):  # the last is OpenSSL's
        raise UnusablePath(f"{path} is no private key in a PEM file", hint="exporter sign --new-key NAME") from None
    return PrivateKey(_ours(key, path))


def read_public_key(path: Path) -> PublicKey:
    """Raises UnusablePath for what is no public key of ours, MissingTool without `cryptography`."""
    with _cryptography():
        from cryptography.exceptions import InternalError, UnsupportedAlgorithm
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    content = _content(path)
    if b"PRIVATE KEY-----" in content:
        raise UnusablePath(
            f"{path} is a private key: checking takes the public one, and a private one stays where it is"
        )
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm, InternalError):
        raise UnusablePath(f"{path} is no public key in a PEM file") from None
    return PublicKey(_ours(key, path))


def new_key_pair(name: Path, algorithm: str) -> tuple[Path, Path]:
    """Write `name`.key, which its owner alone may read, and `name`.pub; gives both paths.

    `algorithm`: one of ALGORITHMS. Raises UnusablePath when one of the two is there already, which stays as it is.
    """
    with _cryptography():
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    if not name.name:
        raise UnusablePath(f"{str(name)!r} names no key", hint="exporter sign --new-key release")
    private, public = (name.with_name(f"{name.name}.{ending}") for ending in ("key", "pub"))
    for path in (private, public):
        if path.exists() or path.is_symlink():
            raise UnusablePath(f"{path} is there already: no key is overwritten")
    key = ed25519.Ed25519PrivateKey.generate() if algorithm == "ed25519" else ec.generate_private_key(ec.SECP256R1())
    _create(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), PRIVATE_MODE)
    try:
        _create(public, PrivateKey(key).public.pem, 0o644)
    except BaseException:
        private.unlink()
        raise
    return private, public


def _create(path: Path, content: bytes, mode: int) -> None:
    """A file that was not there, with `mode` from its first byte on."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
    except FileExistsError:
        raise UnusablePath(f"{path} is there already: no key is overwritten") from None


def _content(path: Path) -> bytes:
    if not path.is_file():
        raise UnusablePath(f"{path} is {'no plain file' if path.exists() else 'missing'}: it should be a key")
    with path.open("rb") as file:
        return file.read(LARGEST_BYTES)


def _ours(key: Any, path: Path) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    if isinstance(key, ed25519.Ed25519PrivateKey | ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1":
        return key
    raise UnusablePath(f"{path} is a key of another kind: {_OURS} are known")


def _ecdsa() -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    return ec.ECDSA(SHA256())


@contextmanager
def _cryptography() -> Iterator[None]:
    try:
        yield
    except ImportError:
        raise MissingTool(
            "signatures need the package cryptography, which is not installed", hint="pip install 'exporter[signing]'"
        ) from None
