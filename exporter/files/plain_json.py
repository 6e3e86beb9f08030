"""Everything this project writes as JSON is JSON: a number that JSON cannot say is "inf", "-inf" or "nan"."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class SaysItself(Protocol):
    """A class whose JSON is not simply its fields."""

    def as_json(self) -> dict[str, Any]: ...


def json_text(value: object) -> str:
    """`value` as indented JSON that every parser reads."""
    return json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False)


def plain(value: object) -> Any:
    """`value` made of dicts, lists, strings, finite numbers, booleans and None."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, SaysItself):
        return plain(value.as_json())
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, PurePath):
        return value.as_posix()
    if hasattr(value, "tolist"):  # a numpy scalar or array
        return plain(value.tolist())
    return str(value)
