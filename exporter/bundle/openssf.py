"""model.sig: the same files signed in the format of OpenSSF's model-signing, for whoever verifies with its tools.

Its keys are elliptic curves of NIST; Ed25519 is none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from exporter.artifact import sha256_of
from exporter.bundle.documents import mapping, read_tree, tree_of
from exporter.bundle.sums import OPENSSF, SIGNATURES, SUMS, changes_since
from exporter.errors import BundleError, MissingTool, UnusablePath
from exporter.failures import in_one_line
from exporter.files.atomic import write_text_atomically
from exporter.signing.dsse import envelope_of
from exporter.signing.keys import ALGORITHMS, PrivateKey, read_public_key

_EC = ALGORITHMS["ecdsa-p256"]
_MAKE_ONE = "exporter sign --new-key NAME --algorithm ecdsa-p256"


def fitting_key(keys: Mapping[Path, PrivateKey]) -> Path:
    """The first of `keys` that the format takes. Raises UnusablePath when none is, MissingTool without the package."""
    _library()
    for path, key in keys.items():
        if key.public.algorithm == _EC:
            return path
    raise UnusablePath(f"OpenSSF's format takes a key of {_EC}, and none was given", hint=_MAKE_ONE)


def write_openssf_signature(folder: Path, key: Path) -> Path:
    """Sign the bundle in `folder` with the private key in the file `key`. Raises MissingTool without the package."""
    library = _library()
    ignored = library.hashing.Config().set_ignored_paths(paths=SIGNATURES, ignore_git_paths=False)
    config = library.signing.Config().use_elliptic_key_signer(private_key=key).set_hashing_config(ignored)
    with TemporaryDirectory() as scratch:  # not in the bundle, where it would be signed, too
        config.sign(folder, Path(scratch) / OPENSSF)
        write_text_atomically(folder / OPENSSF, (Path(scratch) / OPENSSF).read_text(encoding="utf-8"))
    return folder / OPENSSF


def check_openssf_signature(folder: Path, key: Path) -> None:
    """Raises BundleError when model.sig is missing, is none, was made by another key, or the files are not those."""
    if (algorithm := read_public_key(key).algorithm) != _EC:
        raise UnusablePath(f"{key} is a key of {algorithm}: OpenSSF's format takes {_EC}", hint=_MAKE_ONE)
    library = _library()
    if not (folder / OPENSSF).is_file():
        raise BundleError(f"{folder} is not signed in OpenSSF's format: {OPENSSF} is missing")
    try:
        library.verifying.Config().use_elliptic_key_verifier(public_key=key).verify(folder, folder / OPENSSF)
    except Exception as error:  # the library has no class of its own; a damaged file ends in whatever its parser raises
        raise BundleError(f"{folder / OPENSSF} does not verify: {in_one_line(error)}") from None


def openssf_problems(folder: Path, found: Mapping[str, str]) -> Iterator[str]:
    """Where model.sig, if there is one, is not about the files that lie here; who signed it is not looked at.

    `found`: file → sha256 of all files but sums and signatures. Raises BundleError for what is no such file.
    """
    if not (folder / OPENSSF).exists():
        return
    try:
        envelope = envelope_of(mapping(read_tree(folder, OPENSSF).get("dsseEnvelope")))
    except ValueError as error:
        raise BundleError(f"{folder / OPENSSF} {error}: it is damaged, or was changed") from None
    predicate = mapping(tree_of(envelope.payload, folder / OPENSSF).get("predicate"))
    listed = predicate.get("resources")
    entries = [mapping(entry) for entry in listed] if isinstance(listed, list) else []
    signed = {str(entry.get("name")): entry.get("digest") for entry in entries}
    files = {**found, SUMS: sha256_of(folder / SUMS)}
    yield from (f"{change} after the bundle was signed in OpenSSF's format" for change in changes_since(signed, files))


def _library() -> Any:
    try:
        import model_signing
    except ImportError as error:  # 1.1.1 imports pyOpenSSL without asking for it
        raise MissingTool(
            f"OpenSSF's format needs a package that is not installed: {error.name}",
            hint="pip install 'exporter[model-signing]'",
        ) from None
    return model_signing
