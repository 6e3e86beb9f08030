"""DSSE envelopes (https://github.com/secure-systems-lab/dsse, protocol 1.0.2): some bytes, their type, signatures."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

IN_TOTO = "application/vnd.in-toto+json"
_KEYS = {"payload", "payloadType", "signatures"}


@dataclass(frozen=True, slots=True)
class Signature:
    """`keyid`: which key made it, as the signer says; whether that is true, only the key can tell."""

    keyid: str
    sig: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    @property
    def signed_bytes(self) -> bytes:
        """What a key signs."""
        return pre_authentication_encoding(self.payload_type, self.payload)

    def as_json(self) -> dict[str, Any]:
        return {
            "payload": b64encode(self.payload).decode(),
            "payloadType": self.payload_type,
            "signatures": [{"keyid": each.keyid, "sig": b64encode(each.sig).decode()} for each in self.signatures],
        }


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """DSSE's PAE: type and payload with their lengths in bytes, so that neither can be read as part of the other."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def envelope_of(tree: Mapping[str, Any]) -> Envelope:
    """The envelope that a JSON object is. Raises ValueError, saying what is wrong with it."""
    if missing := sorted(_KEYS - tree.keys()):
        raise ValueError(f"is no DSSE envelope: {missing[0]} is missing")
    if tree["payloadType"] != IN_TOTO:
        raise ValueError(f"holds a payload of another type than {IN_TOTO}")
    entries = tree["signatures"]
    if not isinstance(entries, list) or not entries:
        raise ValueError("holds no signature")
    return Envelope(IN_TOTO, _bytes(tree["payload"], "payload"), tuple(map(_signature, entries)))


def _signature(entry: object) -> Signature:
    if not isinstance(entry, dict):
        raise ValueError("holds a signature that is no object")
    keyid = entry.get("keyid", "")
    if not isinstance(keyid, str):
        raise ValueError("holds a signature whose keyid is no text")
    return Signature(keyid, _bytes(entry.get("sig"), "signature"))


def _bytes(text: object, what: str) -> bytes:
    try:
        if not isinstance(text, str):
            raise ValueError
        return b64decode(text, validate=True)
    except ValueError:  # binascii.Error is one
        raise ValueError(f"holds a {what} that is not base64") from None
