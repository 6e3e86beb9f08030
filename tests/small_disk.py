"""Real file systems that are too small or may not be written, mounted for one test."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest


def mounted(folder: Path, options: str) -> AbstractContextManager[Path]:
    """A tmpfs at `folder`; skips where this user may not mount one."""
    return _mount(folder, "-t", "tmpfs", "-o", options, "tmpfs")


def read_only(folder: Path) -> AbstractContextManager[Path]:
    """`folder`, what it holds now, read-only."""
    return _mount(folder, "--bind", "-o", "ro", str(folder))


@contextmanager
def _mount(folder: Path, *words: str) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", *words, folder], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a real small or read-only disk needs root and mount: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
