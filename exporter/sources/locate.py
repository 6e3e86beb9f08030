"""Where the source of a module lies, without importing anything."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import cached_property
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path

from exporter.sources.installed import ABSENT, versions_of
from exporter.sources.rules import OURS

_LIBRARIES = frozenset({"site-packages", "dist-packages"})


class Locations:
    """Of the modules in `folders`, by default of those that an import would find."""

    def __init__(self, folders: Iterable[Path] | None) -> None:
        self._folders = None if folders is None else [str(folder) for folder in folders]
        self._tops: dict[str, _Top] = {}

    def is_source(self, top: str) -> bool:
        """Whether the package `top` is read file by file: ours, or one that is not installed but lies somewhere."""
        return self._top(top).is_source

    def file_of(self, name: str) -> Path | None:
        """The file of a module of a package that `is_source`."""
        top, *rest = name.split(".")
        if not rest:
            return self._top(top).file
        for folder in self._top(top).folders:
            stem = folder.joinpath(*rest)
            for file in (stem / "__init__.py", stem.with_name(f"{stem.name}.py")):
                if file.is_file():
                    return file
        return None

    def all_below(self, package: str) -> Iterator[str]:
        """Every module of `package`."""
        top, *rest = package.split(".")
        for folder in self._top(top).folders:
            for file in sorted(folder.joinpath(*rest).rglob("*.py")):
                words = [top, *file.relative_to(folder).with_suffix("").parts]
                yield ".".join(words[:-1] if words[-1] == "__init__" else words)

    def _top(self, name: str) -> _Top:
        if name not in self._tops:
            self._tops[name] = _Top(name, self._spec(name))
        return self._tops[name]

    def _spec(self, top: str) -> ModuleSpec | None:
        if top in sys.stdlib_module_names and top != OURS:
            return None
        try:
            if self._folders is not None:
                return PathFinder.find_spec(top, self._folders)
            return find_spec(top) or PathFinder.find_spec(top, [str(Path.cwd())])  # where a user's network may lie
        except (ImportError, ValueError, AttributeError):
            return None


class _Top:
    def __init__(self, name: str, spec: ModuleSpec | None) -> None:
        self._name, self._spec = name, spec

    @cached_property
    def file(self) -> Path | None:
        """None for a package without a file of its own and for what is compiled."""
        origin = self._spec.origin if self._spec else None
        return Path(origin) if origin and origin.endswith(".py") else None

    @cached_property
    def folders(self) -> list[Path]:
        return [Path(folder) for folder in (self._spec.submodule_search_locations if self._spec else None) or ()]

    @cached_property
    def is_source(self) -> bool:
        places = [*([self.file] if self.file else []), *self.folders]
        if self._name == OURS or not places:
            return bool(places)
        return not any(_LIBRARIES & set(place.parts) for place in places) or ABSENT in versions_of(self._name).values()
