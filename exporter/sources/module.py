"""One Python file as a result sees it: what it does, what it may import, which files beside it it names.

Comments, docstrings (of fields, too), layout and what only a type checker runs change nothing that is computed, so they
are left out of the digest. A file that reads docstrings (it says `__doc__`) keeps them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_IMPORTERS = frozenset({"import_module", "__import__", "find_spec", "run_module", "run_path"})
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Module:
    """`imports` are dotted names, of modules or of things in them; `computes`: there are more, not written out."""

    digest: str
    imports: frozenset[str]
    mentions: frozenset[str]  # dotted names in strings: a program for another process, a table of modules
    files: tuple[Path, ...]  # beside it, or below, that a string names
    computes: bool


def read_module(path: Path, name: str) -> Module:
    """The file of the module called `name`. What is no Python is taken as it is. Raises OSError."""
    return _module(path.read_bytes(), path, name)


@cache
def _module(content: bytes, path: Path, name: str) -> Module:
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return Module(sha256(content).hexdigest(), frozenset(), frozenset(), (), False)
    _leave_out(tree, docstrings=b"__doc__" not in content)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imports: set[str] = set()
    strings: set[str] = set()
    computes = False
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imports.update(_imported(node, package))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            strings.add(node.value)
        elif isinstance(node, ast.Call) and _imports(node):
            written = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
            computes = computes or written is None
            imports.update([written] if isinstance(written, str) else [])
    return Module(
        digest=sha256(ast.dump(tree).encode("utf-8", "surrogatepass")).hexdigest(),
        imports=frozenset(imports),
        mentions=frozenset(dotted for string in strings for dotted in _DOTTED.findall(string)),
        files=tuple(sorted(_beside(path, strings))),
        computes=computes,
    )


def _leave_out(tree: ast.Module, docstrings: bool) -> None:
    for node in ast.walk(tree):
        if docstrings and isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
        if docstrings and isinstance(node, ast.ClassDef):
            node.body = [line for line in node.body if not _is_text(line)]
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            node.body = []


def _is_text(line: ast.stmt) -> bool:
    """The docstring below a field."""
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


def _imported(node: ast.ImportFrom, package: str) -> Iterator[str]:
    """`from a import b` may mean the module a.b or something in a: both."""
    base = node.module or ""
    if node.level:
        parents = package.split(".")
        base = ".".join([*parents[: len(parents) - node.level + 1], *([base] if base else [])])
    yield base
    yield from (f"{base}.{alias.name}" for alias in node.names)


def _imports(call: ast.Call) -> bool:
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return called in _IMPORTERS


def _beside(path: Path, strings: set[str]) -> Iterator[Path]:
    folder = path.parent
    for string in strings:
        if 0 < len(string) < 100 and "." in string and "\0" not in string and not string.startswith(("/", ".")):
            found = folder / string
            if found != path and found.is_file():
                yield found
