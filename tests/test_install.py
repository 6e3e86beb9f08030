"""What `make setup` and a wheel install: versions that fit pyproject.toml, and every file that code reads."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.conftest import REPO
from tests.extras import lacking

PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text())
EXTRAS = tuple(re.findall(r"^EXTRAS := (.+)$", (REPO / "Makefile").read_text(), re.MULTILINE)[0].split(","))


def _pins() -> dict[str, Version]:
    lines = [line for line in (REPO / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pins = [line.split("==") for line in lines]
    assert len({canonicalize_name(name) for name, _ in pins}) == len(lines)
    return {canonicalize_name(name): Version(version) for name, version in pins}


def _brought(name: str, extras: tuple[str, ...], seen: set[tuple[str, tuple[str, ...]]]) -> Iterator[Requirement]:
    """What `name[extras]` asks for in this environment, and all that comes along."""
    if (name, extras) in seen:
        return
    seen.add((name, extras))
    for line in requires(name) or ():
        wanted = Requirement(line)
        if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield wanted
            yield from _brought(canonicalize_name(wanted.name), tuple(sorted(wanted.extras)), seen)


def test_everything_that_make_setup_installs_is_pinned_to_a_version_that_fits():
    if reason := next((why for extra in EXTRAS if (why := lacking(extra))), None):
        pytest.skip(reason)
    pins = _pins()
    brought = list(_brought("exporter", EXTRAS, set()))
    for wanted in brought:
        name = canonicalize_name(wanted.name)
        assert name in pins, f"{wanted} has no version in constraints.txt: make pins"
        assert pins[name] in wanted.specifier, f"{wanted}, but constraints.txt has {pins[name]}: make pins"
    idle = pins.keys() - {canonicalize_name(wanted.name) for wanted in brought}
    assert not idle, "nothing asks for these of constraints.txt: make pins"


def test_make_setup_installs_what_is_no_matter_of_its_own():
    """`docs` and `mutants` make pages and test tests; `tensorrt-rtx` is large, and comes with what builds engines."""
    assert set(PROJECT["project"]["optional-dependencies"]) == {*EXTRAS, "docs", "mutants", "tensorrt-rtx"}


def test_a_wheel_holds_every_file_that_is_not_code():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["exporter"]
    listed = subprocess.run(["git", "ls-files", "exporter"], cwd=REPO, capture_output=True, text=True, check=True)
    files = [name.removeprefix("exporter/") for name in listed.stdout.split() if not name.endswith(".py")]
    assert "report/page.html" in files
    assert [name for name in files if not any(fnmatch(name, pattern) for pattern in patterns)] == []
