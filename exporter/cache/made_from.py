"""What a kept result was made from, part by part: its key, and in words why it has to be made again.

A part is one named thing that can change the result: an option, a file's digest, a module of our code, a package's
version. The record lies beside the result, so that a later run can say which part is another.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

Parts = Mapping[str, str]
MADE_FROM = "made_from.json"
_CODE = "code "
_SHOWN = 3  # names of one kind in a sentence


def key_of(parts: Parts) -> str:
    """Names the result: same key, same result."""
    return sha256(json.dumps(dict(parts), sort_keys=True).encode()).hexdigest()[:16]


def to_record(parts: Parts) -> str:
    return json.dumps(dict(parts), indent=1, sort_keys=True) + "\n"


def why_anew(parts: Parts, folders: Iterable[Path]) -> str:
    """How `parts` differ from the nearest of the results in `folders`; empty when nothing is known of any."""
    former = [record for folder in folders if (record := read_record(folder)) is not None]
    if not former:
        return ""
    return changes(min(former, key=lambda record: _distance(record, parts)), parts)


def read_record(folder: Path) -> Parts | None:
    try:
        record = json.loads((folder / MADE_FROM).read_text())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and all(isinstance(value, str) for value in record.values()) else None


def changes(before: Parts, now: Parts) -> str:
    """One line, e.g. `code changed: exporter/quantization/ranges/estimators.py; torch 2.8.0 → 2.9.1`."""
    different = [name for name in sorted(before.keys() | now.keys()) if before.get(name) != now.get(name)]
    code = files_in(dict.fromkeys(different, ""))
    others = [_said(name, before.get(name), now.get(name)) for name in different if not name.startswith(_CODE)]
    return "; ".join([*([f"code changed: {listed(code)}"] if code else []), *others])


def files_in(parts: Parts) -> list[str]:
    """The files of code among them."""
    return [name.removeprefix(_CODE) for name in parts if name.startswith(_CODE)]


def listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _distance(before: Parts, now: Parts) -> tuple[int, int]:
    """Results of other options are further away than results of other code: they are another target's."""
    different = [name for name in before.keys() | now.keys() if before.get(name) != now.get(name)]
    return sum(name.startswith("option ") for name in different), len(different)


def _said(name: str, before: str | None, now: str | None) -> str:
    kind, _, rest = name.partition(" ")
    if kind in ("option", "package"):
        return f"{rest} {before or 'absent'} → {now or 'absent'}"
    if kind in ("seed", "machine", "engine"):
        return f"{name} {before or 'none'} → {now or 'none'}"
    return f"{name} changed"
