"""What a network's class says of itself without being imported: nothing runs, and no torch is loaded.

Only what is certain is said. A class that is not found by reading its file (made at run time, imported from elsewhere)
is left to whoever builds it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from exporter.suggestions import did_you_mean, shortened

LARGEST_FILE_BYTES = 1_000_000
SIMPLE: dict[str, Any] = {"int": int, "float": (int, float), "str": str, "bool": bool}


def arch_problem(network: str) -> str:
    """Why `package.module:Class` cannot name a torch.nn.Module; nothing when it may, as far as reading tells."""
    module_name, colon, class_name = network.partition(":")
    names = [*module_name.split("."), class_name]
    if not colon or not all(name.isidentifier() for name in names):
        return f"{shortened(network)!r} is not package.module:Class"
    if _is_pythons_own(module_name.split(".")[0]):
        return f"{network} is of Python's own library, which has no networks"
    spec = _find(module_name)
    if isinstance(spec, str):
        return f"cannot import {network!r}: there is no module {spec}"
    tree = _parse(spec)
    if tree is None:
        return ""
    bound = {name: node for node in _top_level(tree.body) for name in _bound(node)}
    if class_name not in bound and not _binds_unseen(tree, bound):
        classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
        ending = did_you_mean(class_name, classes) if classes else ""
        return f"cannot import {network!r}: {module_name} has no {class_name}{ending}"
    if isinstance(bound.get(class_name), ast.FunctionDef | ast.AsyncFunctionDef):
        return f"{network} is a function, not a class; name the network's class"
    return ""


def kwargs_problems(network: str, kwargs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(keyword, what is wrong) for every keyword that the class does not take, or not with this value."""
    module_name, _, class_name = network.partition(":")
    spec = _find(module_name)
    tree = None if isinstance(spec, str) else _parse(spec)
    arguments = _arguments(tree, class_name) if tree else None
    if tree is None or arguments is None:
        return
    ours = network.startswith(f"{__package__}.")  # whose annotations are kept to, mypy sees to it
    known = {a.arg: a.annotation for a in (*arguments.args[1:], *arguments.kwonlyargs)}
    for name, value in kwargs.items():
        if name not in known:
            if arguments.kwarg is None:
                yield name, f"{class_name} takes no {shortened(name)!r}{did_you_mean(name, known)}"
        elif ours and (problem := _value_problem(tree, known[name], value)):
            yield name, problem


def _is_pythons_own(top: str) -> bool:
    """A file of the user's may bear such a name, too: it counts when Python would find it first."""
    if top not in sys.stdlib_module_names and top not in sys.builtin_module_names:
        return False
    origin = getattr(_find(top), "origin", None)
    return not origin or not origin.endswith(".py") or Path(origin).is_relative_to(Path(ast.__file__).parent)


def _find(module_name: str) -> ModuleSpec | str | None:
    """Where the module lies, without importing its packages; as text the first part that is not there."""
    top, *parts = module_name.split(".")
    try:
        found = find_spec(top) or PathFinder.find_spec(top, [str(Path.cwd())])
        for i, part in enumerate(parts):
            places = found.submodule_search_locations if found else None
            if found is None or places is None:
                return ".".join([top, *parts[: i + (found is not None)]])
            found = PathFinder.find_spec(f"{found.name}.{part}", list(places))
    except (ImportError, ValueError, AttributeError, OSError):  # finders of others
        return None
    return found or module_name


def _parse(spec: ModuleSpec | None) -> ast.Module | None:
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    try:
        file = Path(spec.origin)
        if file.stat().st_size > LARGEST_FILE_BYTES:
            return None
        return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, also those under `if`, `try` and the like; not those of functions and classes."""
    for node in body:
        yield node
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for inner in ("body", "orelse", "finalbody"):
                yield from _top_level(getattr(node, inner, []))
            for handler in getattr(node, "handlers", []):
                yield from _top_level(handler.body)


def _binds_unseen(tree: ast.Module, bound: Mapping[str, ast.stmt]) -> bool:
    """Whether names can appear that no line binds."""
    imports = (node for node in _top_level(tree.body) if isinstance(node, ast.ImportFrom))
    stars = (alias.name == "*" for node in imports for alias in node.names)
    called = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return "__getattr__" in bound or bool(called & {"exec", "globals", "locals", "setattr", "vars"}) or any(stars)


def _bound(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)
    else:  # an assignment, a loop or a with: whatever is stored
        yield from (n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))


def _arguments(tree: ast.Module, class_name: str) -> ast.arguments | None:
    """Of the class's own `__init__`; None when it inherits it, or is no class of this file."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == class_name and not node.decorator_list:
            for member in node.body:
                if isinstance(member, ast.FunctionDef) and member.name == "__init__" and not member.decorator_list:
                    return member.args
    return None


def _value_problem(tree: ast.Module, annotation: ast.expr | None, value: Any) -> str:
    if choices := _choices(tree, annotation):
        if value in choices:
            return ""
        return f"must be {' or '.join(map(repr, choices))}, got {shortened(repr(value))}"
    if isinstance(annotation, ast.Name) and annotation.id in SIMPLE:
        wanted, kind = SIMPLE[annotation.id], annotation.id
        if not isinstance(value, wanted) or (isinstance(value, bool) and kind != "bool"):
            return f"must be {kind}, got {shortened(repr(value))}"
    return ""


def _choices(tree: ast.Module, annotation: ast.expr | None) -> list[Any]:
    """The values of a `Literal[…]`, also of one that has a name here or in the module it is imported from."""
    if isinstance(annotation, ast.Name):
        home = tree
        for node in tree.body:
            names = node.names if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.ImportFrom) and node.module and any(a.name == annotation.id for a in names):
                spec = _find(node.module)
                home = (None if isinstance(spec, str) else _parse(spec)) or tree
        assigned = [node for node in home.body if isinstance(node, ast.Assign)]
        annotation = next((node.value for node in assigned if annotation.id in _bound(node)), annotation)
    if not (isinstance(annotation, ast.Subscript) and isinstance(annotation.value, ast.Name)):
        return []
    if annotation.value.id != "Literal":
        return []
    inner = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
    return [element.value for element in inner if isinstance(element, ast.Constant)]
