"""The settings that an INT8 stage tried on this network, and which it took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

FACTS = "tuning"  # as the stage calls it in its notes


@dataclass(frozen=True, slots=True)
class Row:
    """One trial; `settings` in words."""

    settings: str
    parity_db: float
    worst_db: float
    chosen: bool


@dataclass(frozen=True, slots=True)
class Tuning:
    stage: str
    learned_from: int
    judged_by: int
    rows: tuple[Row, ...]


def tunings(notes: Mapping[str, Mapping[str, Any]]) -> list[Tuning]:
    """One entry per stage that tried settings."""
    return [_tuning(stage, noted[FACTS]) for stage, noted in notes.items() if FACTS in noted]


def _tuning(stage: str, table: Mapping[str, Any]) -> Tuning:
    rows = tuple(
        Row(_words(trial["settings"]), trial["parity_db"], trial["worst_db"], number == table["chosen"])
        for number, trial in enumerate(table["trials"])
    )
    return Tuning(stage, table["learned_from"], table["judged_by"], rows)


def _words(settings: Mapping[str, Any]) -> str:
    named = [
        key.replace("_", " ") if value is True else f"{value} {key}".replace("_", " ")
        for key, value in settings.items()
    ]
    return ", ".join(named) or "minmax ranges, nearest rounding"
