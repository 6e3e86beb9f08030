"""The search for mixed precision: what was tried, dB against ms, and which layers stay in float."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.report.charts import pareto_chart
from exporter.report.drawings import Drawings

FACTS = "mixed_precision"  # as the stage calls it in its notes
SHOWN_LAYERS = 16


@dataclass(frozen=True, slots=True)
class Search:
    """One search; `table` is what the stage noted."""

    stage: str
    table: Mapping[str, Any]
    chosen: Mapping[str, Any]
    plain: Mapping[str, Any]  # all layers in int8
    front: tuple[Mapping[str, Any], ...]  # trials that no other beats in both
    float_layers: tuple[Mapping[str, Any], ...]
    chart: str


def searches(notes: Mapping[str, Mapping[str, Any]], drawings: Drawings) -> list[Search]:
    """One entry per stage that searched."""
    return [_search(stage, noted[FACTS], drawings) for stage, noted in notes.items() if FACTS in noted]


def _search(stage: str, table: Mapping[str, Any], drawings: Drawings) -> Search:
    trials = table["trials"]
    layers = [layer for layer in table["layers"] if layer["precision"] == "float"]
    chosen = trials[table["chosen"]]
    front = pareto_front(trials)
    return Search(
        stage,
        table,
        chosen,
        next(trial for trial in trials if not trial["float"]),
        front,
        tuple(sorted(layers, key=lambda layer: -(layer["alone_loss_db"] or 0))),
        drawings.chart(pareto_chart, trials, front, chosen, table["max_loss_db"], table["float_ms"], f"pareto-{stage}"),
    )


def pareto_front(trials: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """Trials that no other one beats in both loss and time, the fastest first."""
    front: list[Mapping[str, Any]] = []
    for trial in sorted(trials, key=lambda trial: (trial["ms"], trial["loss_db"])):
        if not front or trial["loss_db"] < front[-1]["loss_db"]:
            front.append(trial)
    return tuple(front)
