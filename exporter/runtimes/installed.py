"""Which engine packages are here, asked without importing them."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec


def not_installed(module: str, install: str) -> str | None:
    """One line saying what to install when `module` cannot be found, else None."""
    return None if find_spec(module) else f"{module} is not installed: {install}"


def version_of(distribution: str) -> str:
    """The installed version, or `(not installed)`."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "(not installed)"
