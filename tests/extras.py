"""Which optional extras of the project are installed; a test that wants one carries `@pytest.mark.extra("NAME")`."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement


@cache
def lacking(extra: str) -> str | None:
    """One sentence saying what to install when a package of `extra` is not here, else None.

    Raises KeyError when the project has no such extra, so that a misspelt mark skips nothing.
    """
    wanted = [Requirement(line) for line in requires("exporter") or ()]
    ours = [each for each in wanted if each.marker and f'extra == "{extra}"' in str(each.marker)]
    if not ours:
        raise KeyError(f"this project has no extra {extra!r}")
    gone = [each.name for each in ours if each.marker.evaluate({"extra": extra}) and not _installed(each)]
    # On a Python or platform that the extra is not made for, nothing of it is wanted and nothing of it is here.
    made_for_us = any(each.marker.evaluate({"extra": extra}) for each in ours)
    if made_for_us and not gone:
        return None
    return f"needs {', '.join(gone) or extra}: pip install 'exporter[{extra}]'"


def _installed(requirement: Requirement) -> bool:
    try:
        return version(requirement.name) in requirement.specifier
    except PackageNotFoundError:
        return False
