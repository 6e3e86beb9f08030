"""A digest of all that an export's result depends on, found without running anything: the same digest, the same export.

What it errs at it errs on the safe side: an export that is run again finds its finished stages in its build folder.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from exporter.artifact import sha256_of
from exporter.files.hub_reference import hub_reference_of
from exporter.recipes.export import Recipe
from exporter.sources import code_of


def inputs_of(recipe: Recipe) -> str:
    """Of the recipe as resolved, the files and folders it names, the code that runs, and every installed package."""
    return sha256(json.dumps(dict(_parts(recipe)), sort_keys=True).encode()).hexdigest()


def _parts(recipe: Recipe) -> Iterator[tuple[str, object]]:
    yield "recipe", recipe.resolved()
    yield "exporter", _exporter()
    yield "packages", _packages()
    for place, path in recipe.files().items():
        if hub_reference_of(path) is None:  # what a hub keeps is named with its commit in the recipe
            yield place, _file(path)
    for name, folder in recipe.data:
        if isinstance(folder, Path):
            yield f"data.{name}", _folder(folder)
    for network in sorted(recipe.user_classes):
        if ":" in network:
            yield network, code_of(network.partition(":")[0]).parts()


@cache
def _file(path: Path) -> str:
    return sha256_of(path)


@cache
def _folder(path: Path) -> str:
    """Names, sizes and times of change: a set may hold a million pictures, and many exports share it."""
    found = sha256()
    for file in sorted(each for each in path.rglob("*") if each.is_file()):
        status = file.stat()
        found.update(f"{file.relative_to(path)} {status.st_size} {status.st_mtime_ns}\n".encode())
    return found.hexdigest()


@cache
def _exporter() -> str:
    root = Path(str(files("exporter")))
    found = sha256()
    for file in sorted(each for each in root.rglob("*") if each.is_file() and "__pycache__" not in each.parts):
        found.update(f"{file.relative_to(root)} {sha256_of(file)}\n".encode())
    return found.hexdigest()


@cache
def _packages() -> list[str]:
    """Name and version of each, as its folder has them: reading what is in there takes a second."""
    return sorted({each.stem for place in sys.path for each in Path(place).glob("*.dist-info")})
