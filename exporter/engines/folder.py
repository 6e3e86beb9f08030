"""Where engines lie, and how a finished one is told from an interrupted one.

Each is put together from a distribution's packages and from wheels in a folder of its own: without root, and without a
trace on the system.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from exporter.files.atomic import replace_folder, write_text_atomically

STAMP = ".made_of.json"


def engines_folder() -> Path:
    """`$EXPORTER_ENGINES`, or `build/engines` under the current folder; absolute."""
    return Path(os.environ.get("EXPORTER_ENGINES") or Path("build", "engines")).absolute()


def stamp_of(folder: Path) -> dict[str, Any]:
    """What `folder` was made of; empty when it is not finished or not an engine's."""
    return _object_in(folder / STAMP)


def is_made_of(folder: Path, order: Mapping[str, Any]) -> bool:
    """Whether `folder` was finished for exactly this order."""
    stamp = stamp_of(folder)
    return bool(stamp) and all(stamp.get(key) == value for key, value in order.items())


def proof_in(file: Path, versions: Mapping[str, Any]) -> dict[str, Any]:
    """What the check of an engine of exactly these versions found; empty when there was none."""
    proof = _object_in(file)
    return proof if proof.get("versions") == versions else {}


def write_proof(file: Path, versions: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    write_text_atomically(file, json.dumps({"versions": versions, **found}, indent=1))


def _object_in(file: Path) -> dict[str, Any]:
    try:
        known = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


@contextmanager
def replacing(folder: Path, order: Mapping[str, Any], made: dict[str, Any]) -> Iterator[Path]:
    """A new folder to fill; at the end it is stamped with `order` and `made` and takes the place of `folder`.

    After an error `folder` is as it was.
    """
    with replace_folder(folder) as content:
        yield content
        (content / STAMP).write_text(json.dumps({**order, **made}, indent=1))
