"""What a run found out and the next one need not, while nothing that it was made from has changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from exporter.cache.made_from import Parts
from exporter.cache.sealed import seal, unseal


def recalled(record: Path | None, parts: Parts, make: Callable[[], Any]) -> Any:
    """What `make` gave for the same `parts` before, kept in `record`, or what it gives now; it is JSON, not None.

    A record that was damaged, or is of other parts, is replaced. Without a record all is made anew.
    """
    known = recall(record, parts)
    if known is None:
        known = make()
        keep(record, parts, known)
    return known


def recall(record: Path | None, parts: Parts) -> Any:
    """What `record` keeps for just these `parts`; None without it, or when it was damaged."""
    known = unseal(record) if record is not None else None
    return known.get("made") if isinstance(known, dict) and known.get("parts") == dict(parts) else None


def keep(record: Path | None, parts: Parts, made: Any) -> None:
    """Keep `made`, which is JSON, in `record` for the next run with these `parts`."""
    if record is not None:
        record.parent.mkdir(parents=True, exist_ok=True)
        seal(record, {"parts": dict(parts), "made": made}, ())
