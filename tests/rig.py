"""A rig for a test: put together when it is not here, and a skip only when Debian itself no longer has a part."""

from __future__ import annotations

import pytest

from exporter.errors import EngineError
from exporter.rigs import Rig


def install_or_skip(rig: Rig) -> None:
    if rig.installed() is None:
        return
    try:
        rig.install(lambda line: None)
    except EngineError as error:
        if "does not serve" in str(error):
            pytest.skip(str(error))
        raise
