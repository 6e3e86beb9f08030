"""What NVIDIA's libraries learn about a GPU and can be told again: kept per user, outside runs and bundles."""

from __future__ import annotations

import os
from pathlib import Path

from exporter.files.atomic import write_atomically


def _folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "exporter" / "nvidia"


def read_cache(key: str) -> bytes:
    """What was kept under `key`; nothing when there is none."""
    path = _folder() / key
    return path.read_bytes() if path.is_file() else b""


def write_cache(key: str, content: bytes) -> None:
    path = _folder() / key
    with write_atomically(path) as new:
        new.write_bytes(content)
