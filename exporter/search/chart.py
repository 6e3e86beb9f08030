"""Two objectives of every trial, drawn as the report draws."""

from __future__ import annotations

from exporter.recipes.space import Objective
from exporter.report.svg import ACCENT, BAD, GOOD, LINE, MUTED, SOFT, as_svg, frame
from exporter.search.results import Trial
from exporter.search.search import Found


def front_chart(found: Found, across: Objective, up: Objective) -> str:
    """Trials that kept their promises and those that missed one; the front joined, the recipe's own and the chosen
    point marked. Empty where nothing was measured."""

    def points(trials: tuple[Trial, ...]) -> tuple[list[float], list[float]]:
        pairs = [(trial.value(across), trial.value(up)) for trial in trials]
        known = [(x, y) for x, y in pairs if x is not None and y is not None]
        return [x for x, _ in known], [y for _, y in known]

    kept = tuple(trial for trial in found.trials if trial.state == "kept")
    missed = tuple(trial for trial in found.trials if trial.state == "missed")
    if not points((found.own, *kept, *missed))[0]:
        return ""
    figure, axes = frame(3.0)
    axes.grid(color=LINE, linewidth=0.8)
    axes.plot(*points(missed), "x", color=BAD, markersize=5)
    axes.plot(*points(kept), ".", color=SOFT, markersize=8)
    front = tuple(sorted(found.front, key=lambda trial: trial.value(across) or 0.0))
    axes.plot(*points(front), color=ACCENT, linewidth=1.5, marker=".", markersize=8)
    axes.plot(*points((found.own,)), "s", color=MUTED, markersize=7)
    if found.chosen is not None:
        axes.plot(*points((found.chosen,)), "o", color=GOOD, markersize=9)
    axes.margins(0.08)
    axes.set_xlabel(f"{across.title}, {_better(across)}")
    axes.set_ylabel(f"{up.figure}, {_better(up)}")
    said = f"{up.title} against {across.title}: {len(kept)} trials kept every promise, {len(missed)} missed one"
    return as_svg(figure, f"front {across.title} {up.title}", said)


def _better(objective: Objective) -> str:
    return "less is better" if objective.way == "minimize" else "more is better"
