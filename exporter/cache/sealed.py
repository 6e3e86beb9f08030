"""A record beside the files it speaks of: it counts only while every byte of them is what was written.

One flipped bit, a file cut short or gone, a record of another kind: what the record stood for is made again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from exporter.artifact import sha256_of
from exporter.failures import ABSENT, pass_on
from exporter.files.atomic import is_unfinished, write_text_atomically


def seal(record: Path, content: Any, files: Iterable[Path]) -> None:
    """Write `record`: `content`, which is JSON, with the digests of `files`, which lie in its folder or below.

    It is written last and at once, so its being there means that the files are whole.
    """
    digests = {file.relative_to(record.parent).as_posix(): sha256_of(file) for file in sorted(files)}
    body = {"content": content, "files": digests}
    write_text_atomically(record, json.dumps({**body, "sha256": _digest(body)}, indent=1) + "\n")


def unseal(record: Path) -> Any:
    """The content that was sealed; None without a record, or when a byte of it or of its files has changed."""
    try:
        raw = json.loads(record.read_bytes())
        body = {"content": raw["content"], "files": raw["files"]}
        if raw["sha256"] != _digest(body):
            return None
        same = all(sha256_of(record.parent / name) == digest for name, digest in body["files"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        pass_on(error, record, but=ABSENT)  # what cannot be read today may be whole: it is not made again
        return None
    return body["content"] if same else None


def files_below(folder: Path, *, but: Path) -> list[Path]:
    """Every finished file in `folder` and below, the record `but` left out."""
    return [file for file in folder.rglob("*") if file.is_file() and file != but and not is_unfinished(file)]


def _digest(body: dict[str, Any]) -> str:
    return sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
