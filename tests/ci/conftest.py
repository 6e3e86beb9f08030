from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ci.fake_forge import FakeForge, fake_forge


@pytest.fixture
def forge() -> Iterator[FakeForge]:
    with fake_forge() as forge:
        yield forge
