"""Which trials no other is better than, and which of them to take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from exporter.recipes.space import TIME, Objective
from exporter.search.results import OWN, Trial


def front_of(trials: Iterable[Trial], objectives: Sequence[Objective], noisy: bool = False) -> list[Trial]:
    """The Pareto front of what kept every promise and is trusted, the best in the first objective first.

    Of trials that are equal in all objectives the first one stands for all. `noisy`: as if noise were nothing.
    """
    able = [t for t in trials if t.state == "kept" and not t.untrusted(objectives, noisy)]
    points = [[_cost(t, objective) for objective in objectives] for t in able]
    front = [
        trial
        for i, trial in enumerate(able)
        if not any(_dominates(other, points[i]) or (other == points[i] and j < i) for j, other in enumerate(points))
    ]
    return sorted(front, key=lambda trial: [_cost(trial, objective) for objective in objectives])


def chosen_of(front: Sequence[Trial], own: Trial, objectives: Sequence[Objective]) -> Trial | None:
    """The best in the first objective of those that are better than the recipe's own settings in one objective, and in
    none worse; where the recipe itself misses a promise, of all. None: there is none."""
    if own.state != "kept":
        return front[0] if front else None
    better = [trial for trial in front if is_better(trial, own, objectives)]
    return better[0] if better else None


def is_better(trial: Trial, own: Trial, objectives: Sequence[Objective]) -> bool:
    """Better by more than an objective's tolerance, or a time beyond its interval, in one, and in none worse."""
    gains = [_advantage(trial, own, objective) for objective in objectives]
    return trial.number != OWN and max(gains) > 0 and min(gains) >= 0


def _advantage(trial: Trial, own: Trial, objective: Objective) -> int:
    """1 better, 0 the same, -1 worse."""
    if objective.figure == TIME and (pace := trial.pace.get(objective.target)):
        slower, faster = pace.low > 1, pace.high < 1
        sign = faster - slower
        return sign if objective.way == "minimize" else -sign
    lead = _cost(own, objective) - _cost(trial, objective)
    return (lead > objective.tolerance) - (lead < -objective.tolerance)


def _cost(trial: Trial, objective: Objective) -> float:
    """Less is better."""
    value = trial.value(objective)
    assert value is not None  # it is trusted
    return -value if objective.way == "maximize" else value


def _dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and list(one) != list(other)
