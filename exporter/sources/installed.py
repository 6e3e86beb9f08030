"""Versions of installed packages, asked by what is imported of them."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version

ABSENT = "absent"


@cache
def versions_of(top: str) -> dict[str, str]:
    """Distribution → version for those that `import top` comes from; none for the standard library."""
    if top in sys.stdlib_module_names:
        return {}
    if (found := installed_version(top)) != ABSENT:
        return {top.replace("_", "-"): found}
    return {name: installed_version(name) for name in _distributions().get(top, ())} or {top: ABSENT}


@cache
def installed_version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ABSENT


@cache
def _distributions() -> dict[str, list[str]]:
    return {top: sorted(set(names)) for top, names in packages_distributions().items()}
