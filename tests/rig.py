"""A rig for a test: put together when it is not here; a part that cannot be had is a failure, not a skip."""

from __future__ import annotations

import shutil

import pytest

from exporter.rigs import Rig


def put_together(rig: Rig) -> None:
    """Skips only where rigs cannot be: on a machine that is no Debian."""
    if not shutil.which("apt-get"):
        pytest.skip("rigs are put together from Debian's packages, and this machine has no apt-get")
    if rig.installed() is not None:
        rig.install(lambda line: None)
