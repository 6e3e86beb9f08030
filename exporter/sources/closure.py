"""What running a module can run: the files that its imports lead to, wherever in them an import is written.

Code of this project and of the user is followed file by file; an installed package counts by its version.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from exporter.artifact import sha256_of
from exporter.sources.installed import installed_version, versions_of
from exporter.sources.locate import Locations
from exporter.sources.module import Module, read_module
from exporter.sources.rules import COMPUTED, INERT_PACKAGES, OURS, TABLES, is_inert


@dataclass(frozen=True, slots=True)
class Code:
    """Files, named from the folder that their package lies in, with a digest of what they do; packages by version."""

    files: Mapping[str, str]
    packages: Mapping[str, str]

    def __or__(self, other: Code) -> Code:
        return Code({**self.files, **other.files}, {**self.packages, **other.packages})

    def parts(self) -> dict[str, str]:
        """One entry each, for a key."""
        named = {f"code {path}": digest for path, digest in sorted(self.files.items())}
        return named | {f"package {name}": found for name, found in sorted(self.packages.items())}


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    module: str  # empty for a file that is no module
    digest: str


class Sources:
    """The modules found in `folders`, by default where Python finds them. Each file is read once."""

    def __init__(self, folders: Iterable[Path] | None = None) -> None:
        self._locations = Locations(folders)
        self._modules: dict[str, Module] = {}
        self._files: dict[str, _File] = {}  # by name as in Code.files

    def code_of(self, *names: str) -> Code:
        """What the modules called `names` can run. A name that leads nowhere adds nothing."""
        files: set[str] = set()
        packages: dict[str, str] = {}
        seen: set[str] = set()
        waiting = [part for name in names for part in _with_parents(name)]
        while waiting:
            name = waiting.pop()
            if name in seen or name in TABLES or is_inert(name):
                continue
            seen.add(name)
            top = name.partition(".")[0]
            if not self._locations.is_source(top):
                packages.update(versions_of(top))
            elif (path := self._locations.file_of(name)) is not None:
                waiting += self._follow(name, path, files)
                packages.update({each: installed_version(each) for each in COMPUTED.get(name, ())})
        digests = {name: self._files[name].digest for name in sorted(files)}
        return Code(digests, {name: packages[name] for name in sorted(packages) if name not in INERT_PACKAGES})

    def edited(self, names: Iterable[str]) -> list[str]:
        """Those of `names`, as in Code.files, that do something else by now than when they were read."""
        known = [(name, self._files[name]) for name in names if name in self._files]
        return [name for name, file in known if _digest_now(file) != file.digest]

    def _follow(self, name: str, path: Path, files: set[str]) -> Iterator[str]:
        """The modules that come after this one; the file, and what lies beside it, are added to `files`."""
        module, shown = self._module(name, path), _shown(name, path)
        files.add(shown)
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for beside in module.files:
            within = beside.relative_to(path.parent)
            if beside.suffix == ".py":
                yield ".".join([*filter(None, [package]), *within.with_suffix("").parts])
            else:
                entry = str(Path(shown).parent / within)
                self._files[entry] = _File(beside, "", sha256_of(beside))
                files.add(entry)
        top = name.partition(".")[0]
        if module.computes and top != OURS and package:
            yield from self._locations.all_below(package)
        for dotted in (*module.imports, *(word for word in module.mentions if word.partition(".")[0] == top)):
            yield from _with_parents(dotted)

    def _module(self, name: str, path: Path) -> Module:
        if name not in self._modules:
            module = self._modules[name] = read_module(path, name)
            self._files[_shown(name, path)] = _File(path, name, module.digest)
        return self._modules[name]


_here = Sources()


def code_of(*names: str) -> Code:
    """`Sources.code_of` of what this process would import."""
    return _here.code_of(*names)


def edited(names: Iterable[str]) -> list[str]:
    """`Sources.edited` since this process first asked for them."""
    return _here.edited(names)


def _digest_now(file: _File) -> str:
    try:
        return read_module(file.path, file.module).digest if file.module else sha256_of(file.path)
    except OSError:
        return ""


def _shown(name: str, path: Path) -> str:
    stem = name.replace(".", "/")
    return f"{stem}/__init__.py" if path.name == "__init__.py" else f"{stem}.py"


def _with_parents(name: str) -> list[str]:
    """Importing a.b.c runs a and a.b as well."""
    words = name.split(".")
    return [".".join(words[:count]) for count in range(1, len(words) + 1)]
