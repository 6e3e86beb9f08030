"""Places for a store of every kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bucket import bucket

__all__ = ["bucket"]
S3 = (pytest.mark.extra("s3"), pytest.mark.slow)  # seconds, beside quicker stores of the same kind


@pytest.fixture(params=["folder", "memory", pytest.param("s3", marks=S3)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty store of every kind."""
    if request.param == "folder":
        yield str(tmp_path / "store")
        return
    if request.param == "s3":
        yield f"s3://{request.getfixturevalue('bucket')}/store"
        return
    import fsspec

    yield "memory://store"
    fsspec.filesystem("memory").store.clear()


@pytest.fixture(params=["folder", pytest.param("s3", marks=S3)])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store that other processes see, too."""
    if request.param == "folder":
        return str(tmp_path / "store")
    return f"s3://{request.getfixturevalue('bucket')}/store"
