"""The JSON files of a bundle, read as a stranger's: bounded, each key once, every number finite, no type guessed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from exporter.errors import BundleError
from exporter.files.contained import contained
from exporter.suggestions import likely_file, shortened

LARGEST_BYTES = 64 << 20  # a report of a hundred targets takes a tenth of it
LONGEST_LINE = 400
_SHOWN = 5  # mistakes of one file
_WORDS = {"too_short": "is empty", "missing": "is missing", "extra_forbidden": "is unknown"}  # for pydantic's own

Document = TypeVar("Document", bound=BaseModel)


def require_folder(bundle: Path) -> None:
    """Raises BundleError, which names a folder of a like name, where `bundle` is none."""
    if not bundle.is_dir():
        raise BundleError(
            f"{bundle} is not a folder{likely_file(bundle)}", hint="give the folder dist/<name>-<version>"
        )


def read_document(bundle: Path, file: str, kind: type[Document], schema_version: int) -> Document:
    """`file` of `bundle` as `kind`, whose `schema_version` is the one given.

    Raises BundleError when it is missing, not JSON, written by an exporter of another schema version, or does not fit.
    """
    path = bundle / file
    require_folder(bundle)
    if not path.exists():
        raise BundleError(f"{path} is missing", hint="is this the folder of a bundle?")
    content = read_bounded(bundle, file)
    found = tree_of(content, path).get("schema_version")
    if type(found) is not int:  # neither True nor 1.0 is a version, though both equal 1
        raise BundleError(f"{path}: schema_version: {shown(repr(found))} is no version")
    if found != schema_version:
        raise BundleError(
            f"{path} is of schema version {found}, this exporter reads {schema_version}: nothing was checked",
            hint="use the exporter that wrote it, see `tools` in manifest.json",
        )
    try:
        return kind.model_validate_json(content, strict=True)
    except ValidationError as error:
        lines = [_mistake(detail["loc"], _WORDS.get(detail["type"], detail["msg"])) for detail in error.errors()]
        more = [f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []
        raise BundleError("; ".join([f"{path}: {lines[0]}", *lines[1:_SHOWN], *more])) from None


def read_tree(bundle: Path, file: str) -> dict[str, Any]:
    """`file` of `bundle`, a JSON object of a format that is not ours. Raises BundleError when it is none."""
    return tree_of(read_bounded(bundle, file), bundle / file)


def read_bounded(bundle: Path, file: str) -> bytes:
    """The bytes of `file`, a plain file inside `bundle`. Raises BundleError for another, and for one too large."""
    path = contained(bundle, file, named_in="this exporter", error=BundleError)
    size_bytes = path.stat().st_size
    if size_bytes > LARGEST_BYTES:
        raise BundleError(f"{path} has {size_bytes} bytes, more than any such file needs")
    return path.read_bytes()


def tree_of(content: bytes, path: Path) -> dict[str, Any]:
    """The JSON object that `content` of the file `path` is. Raises BundleError when it is none."""
    try:
        tree = json.loads(
            content, object_pairs_hook=_once, parse_constant=_no_number, parse_float=_finite, parse_int=_exact
        )
    except RecursionError:
        raise BundleError(f"{path} is nested too deeply") from None
    except ValueError as error:
        raise BundleError(f"{path} is not JSON that can be trusted: {shown(str(error))}") from None
    if not isinstance(tree, dict):
        raise BundleError(f"{path} holds {type(tree).__name__}, not an object")
    return tree


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{next(key for key in keys if keys.count(key) > 1)!r} stands twice in one object")
    return tree


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no JSON number")


def _finite(text: str) -> float:
    if not isfinite(number := float(text)):
        raise ValueError(f"{text} is beyond every number")
    return number


def _mistake(location: tuple[int | str, ...], message: str) -> str:
    where = ".".join(str(part) for part in location) or "the file"
    return shown(f"{where}: {message.removeprefix('Value error, ')}")


def mapping(value: object) -> Mapping[str, Any]:
    """`value` when it is an object; an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def exact_json(value: object) -> str:
    """`value` so that two are the same when JSON says them alike: it tells true from 1, which Python does not."""
    return json.dumps(value, sort_keys=True)


def shown(text: str) -> str:
    """A stranger's text for one line of a terminal: nothing that moves the cursor, not endless."""
    return shortened(text, LONGEST_LINE)


def _exact(text: str) -> int:
    """Seeds take 64 bits; nothing that is written here takes more."""
    if len(text) > 20 or abs(int(text)) >= 2**64:
        raise ValueError(f"a whole number of {len(text)} characters is beyond 64 bits")
    return int(text)
