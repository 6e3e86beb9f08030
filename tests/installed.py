"""An engine for a test: put together when it is not here; a part that cannot be had is a failure, not a skip."""

from __future__ import annotations

import shutil

import pytest

from exporter.engines import Engine


def put_together(engine: Engine) -> None:
    """Skips only where they cannot be had: on a machine that is no Debian."""
    if not shutil.which("apt-get"):
        pytest.skip("engines are put together from Debian's packages, and this machine has no apt-get")
    if engine.installed() is not None:
        engine.install(lambda line: None)
