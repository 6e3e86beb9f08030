"""Every message that the page quotes is one that the code can still say."""

from __future__ import annotations

import re
from functools import cache

import pytest

from tests.conftest import REPO

PAGE = REPO / "docs" / "troubleshooting.md"
MESSAGES = re.findall(r"^### `(.+)`$", PAGE.read_text(), re.MULTILINE)


@cache
def _sentences() -> str:
    """The package's source, where a string that goes on in the next line is one."""
    text = "\n".join(path.read_text() for path in sorted((REPO / "exporter").rglob("*.py")))
    return re.sub(r'"\n\s*f?"', "", text)


def test_there_are_messages_enough() -> None:
    assert len(MESSAGES) >= 40 and len(set(MESSAGES)) == len(MESSAGES)


@pytest.mark.parametrize("message", MESSAGES)
def test_the_code_can_say_it(message: str) -> None:
    pieces = [piece for piece in message.split("…") if piece.strip()]
    said = r"[^\n]{1,120}?".join(re.escape(piece) for piece in pieces)
    assert sum(len(piece.strip()) for piece in pieces) >= 10, "too little to be found by"
    assert re.search(said, _sentences()), "no sentence of the package holds these words in this order"
