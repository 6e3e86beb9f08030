"""DSSE envelopes: the specification's own example, another implementation's reading, and what is none."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.signing.dsse import IN_TOTO, Envelope, Signature, envelope_of, pre_authentication_encoding


def test_what_is_signed_is_the_specifications_example() -> None:
    encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_lengths_are_those_of_bytes() -> None:
    assert pre_authentication_encoding("é", "ü".encode()) == "DSSEv1 2 é 2 ü".encode()


ENVELOPE = Envelope(IN_TOTO, b'{"a": 1}', (Signature("k1", b"\x00\x01"), Signature("", b"\xff")))


def test_there_and_back() -> None:
    assert envelope_of(ENVELOPE.as_json()) == ENVELOPE


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"payload": None}, "holds a payload that is not base64"),
        ({"payload": "a b"}, "holds a payload that is not base64"),
        ({"payloadType": "text/plain"}, "holds a payload of another type"),
        ({"signatures": []}, "holds no signature"),
        ({"signatures": {}}, "holds no signature"),
        ({"signatures": ["x"]}, "holds a signature that is no object"),
        ({"signatures": [{"sig": "!"}]}, "holds a signature that is not base64"),
        ({"signatures": [{"keyid": 1, "sig": ""}]}, "whose keyid is no text"),
    ],
)
def test_what_is_no_envelope(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        envelope_of(ENVELOPE.as_json() | change)


@pytest.mark.parametrize("key", ["payload", "payloadType", "signatures"])
def test_what_lacks_a_part(key: str) -> None:
    tree = ENVELOPE.as_json()
    del tree[key]
    with pytest.raises(ValueError, match=f"is no DSSE envelope: {key} is missing"):
        envelope_of(tree)
