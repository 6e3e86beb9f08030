"""What each option of a recipe is, read from the docstring below its field when somebody asks."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from inspect import cleandoc, getsource

from pydantic import BaseModel

UNITS = {"px": "px", "db": "dB", "ms": "ms", "s": "s", "mb": "MB"}


def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Field → what it is and, behind the first full stop, when to change it; a parent's words hold until replaced.

    Not pydantic's `use_attribute_docstrings`, which reads the source of every model whenever a recipe is read.
    """
    found = {key: field.description for key, field in model.model_fields.items() if field.description}
    for parent in reversed(model.__mro__):
        if issubclass(parent, BaseModel) and parent.__module__.startswith(f"{__name__.partition('.')[0]}."):
            found |= _written(parent.__module__).get(parent.__name__, {})
    return {key: found[key] for key in model.model_fields if key in found}


def what_and_when(description: str) -> tuple[str, str]:
    """What an option is, and when to change it, or nothing."""
    what, _, when = description.partition(". ")
    return what.removesuffix("."), when.removesuffix(".")


def unit_of(key: str, what: str = "") -> str:
    """The unit that ends a key's name or, behind a comma, `what` it is; or nothing."""
    said = what.rpartition(", ")[2]
    return UNITS.get(key.rpartition("_")[2], said if said in UNITS.values() else "")


@cache
def _written(module: str) -> dict[str, dict[str, str]]:
    """Class → field → docstring, of the classes of a module."""
    tree = ast.parse(getsource(sys.modules[module]))
    return {node.name: dict(_fields(node)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, below in zip(node.body, node.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, re.sub(r"\s+", " ", cleandoc(text)).strip()
