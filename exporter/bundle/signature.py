"""signature.dsse.json: the provenance statement of a bundle, signed. It names every file, so all of them are signed.

It is checked before a word of manifest or report is read. What the payload says counts only once a key has verified it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.bundle.attest.provenance import subjects
from exporter.bundle.documents import mapping, read_bounded, read_tree, shown, tree_of
from exporter.bundle.sums import PROVENANCE, SIGNATURE, changes_since
from exporter.errors import BundleError
from exporter.files.atomic import write_text_atomically
from exporter.files.plain_json import json_text
from exporter.signing.dsse import IN_TOTO, Envelope, Signature, envelope_of
from exporter.signing.keys import PrivateKey, PublicKey

_SHORT = 16  # of a key's 64 digits


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed a bundle. `key`: the one whose signature was checked; `keyids`: of all that claim to have signed."""

    key: PublicKey | None
    keyids: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """Empty for a bundle that nobody signed."""
        if self.key is not None:
            return f"signed by the {named_key(self.key)}"
        if self.keyids:
            claimed = " and ".join(shown(keyid)[:_SHORT] or "without a name" for keyid in self.keyids)
            return f"signed, not checked by whom (key {claimed}…): --key checks it"
        return ""


UNSIGNED = Signed(None, ())


def named_key(key: PublicKey) -> str:
    return f"{key.algorithm} key {key.keyid[:_SHORT]}…"


def write_signature(folder: Path, keys: Sequence[PrivateKey]) -> Path:
    """Sign the provenance of the bundle in `folder` with each of `keys`; a former signature is replaced."""
    unsigned = Envelope(IN_TOTO, read_bounded(folder, PROVENANCE), ())
    made = tuple(Signature(key.public.keyid, key.sign(unsigned.signed_bytes)) for key in keys)
    envelope = Envelope(unsigned.payload_type, unsigned.payload, made)
    write_text_atomically(folder / SIGNATURE, json_text(envelope.as_json()) + "\n")
    return folder / SIGNATURE


def check_signature(folder: Path, found: Mapping[str, str], key: PublicKey | None) -> tuple[Signed, list[str]]:
    """Who signed the bundle, and where what lies there is not what was signed.

    `found`: file → sha256. Raises BundleError for what is no signature file, and when `key` did not sign.
    """
    if not (folder / SIGNATURE).exists():
        if key is not None:
            raise BundleError(f"{folder} is not signed: {SIGNATURE} is missing")
        return UNSIGNED, []
    envelope = _read_envelope(folder)
    if key is not None:
        _demand(key, envelope, folder)
    keyids = tuple(each.keyid for each in envelope.signatures)
    return Signed(key, keyids), [*_differences(envelope, folder, found)]


def _read_envelope(folder: Path) -> Envelope:
    try:
        return envelope_of(read_tree(folder, SIGNATURE))
    except ValueError as error:
        raise BundleError(f"{folder / SIGNATURE} {error}: it is damaged, or was changed") from None


def _demand(key: PublicKey, envelope: Envelope, folder: Path) -> None:
    """Raises BundleError unless `key` verifies one of the signatures; keyids are only believed for the sentence."""
    if any(key.verifies(each.sig, envelope.signed_bytes) for each in envelope.signatures):
        return
    keyids = [each.keyid for each in envelope.signatures]
    if key.keyid in keyids:
        raise BundleError(
            f"{folder / SIGNATURE}: the signature is not right: it, or the statement in it, was changed after the "
            f"{named_key(key)} had signed"
        )
    others = " and ".join(f"{shown(keyid)[:_SHORT]}…" for keyid in keyids)
    raise BundleError(f"{folder} is signed by another key than the one given: by {others}, not by the {named_key(key)}")


def _differences(envelope: Envelope, folder: Path, found: Mapping[str, str]) -> Iterator[str]:
    """Where the files, and the statement among them, are not those that were signed."""
    try:
        statement = tree_of(envelope.payload, folder / SIGNATURE)
        named = subjects(statement)
    except ValueError as error:
        yield f"{SIGNATURE}: what was signed {error}"
        return
    signed, here = _release(statement), _release(read_tree(folder, PROVENANCE))
    if signed != here:
        yield f"{SIGNATURE} is the signature of {signed}, this is {here}"
        return
    files = {file: sha256 for file, sha256 in found.items() if file != PROVENANCE}
    yield from (f"{change} after the bundle was signed" for change in changes_since(named, files))
    if envelope.payload != read_bounded(folder, PROVENANCE):
        yield f"{PROVENANCE} is not the statement that was signed"


def _release(statement: Mapping[str, Any]) -> str:
    built = mapping(mapping(mapping(statement.get("predicate")).get("buildDefinition")).get("externalParameters"))
    return f"{built.get('name')} {built.get('version')}"
