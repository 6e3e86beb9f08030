"""Which layers of an INT8 file have to stay in float so that the picture keeps what was promised of it.

First every kind of operator that runs slower in int8 than in float goes back to float. If the budget is not kept then,
layers follow in the order of what they cost the picture alone in int8, over what they cost in time, until it is; then
whatever turns out not to be needed goes back to int8. What is measured decides: losses on calibration images, times on
this machine. The same losses and times decide the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.quantization.search.candidates import ALL_INT8, Candidate, Candidates, Layers
from exporter.quantization.search.sensitivity import Layer
from exporter.quantization.settings import MixedPrecision

CLEARLY = 0.97  # of a time: what differs by less decides nothing


class Impossible(ValueError):
    """No file with an int8 layer in it keeps the budget."""


@dataclass(slots=True)
class Found:
    """`errors` are mean squared errors of layers alone in int8, empty where nobody had to ask."""

    chosen: Candidate
    faster_in_float: Layers = frozenset()
    errors: Mapping[str, float] = field(default_factory=dict)


def search(
    layers: Sequence[Layer], candidates: Candidates, budget: MixedPrecision, errors: Callable[[], Mapping[str, float]]
) -> Found:
    """The fastest file tried that keeps `budget`; `errors` is asked only when whole kinds do not do.

    Raises Impossible when only the float network itself keeps it.
    """
    prices, faster = _kinds(layers, candidates)
    found = Found(candidates.of(faster), faster)
    if not _keeps(budget, found.chosen):
        found.errors = errors()
        order = sorted(layers, key=lambda layer: (-found.errors[layer.name] / prices[layer.name], layer.name))
        names = [layer.name for layer in order if layer.name not in faster]
        needed = _fewest(names, faster, candidates, budget)
        kept = _spare(needed, faster, candidates, budget)
        _close_gaps(kept, layers, candidates)
    found.chosen = _cheapest([candidate for candidate in candidates.done.values() if _keeps(budget, candidate)])
    return found


def _kinds(layers: Sequence[Layer], candidates: Candidates) -> tuple[dict[str, float], Layers]:
    """What each layer costs in ms when it is float, by its share in its kind's work; and those that cost less than 0.

    Of those the kind that saves most comes first: what follows has to save on top of it.
    """
    kinds = {kind: frozenset(layer.name for layer in layers if layer.kind == kind) for kind in _in_order(layers)}
    plain_ms, count = candidates.of(ALL_INT8).ms, len(layers)
    times_ms = {kind: candidates.of(names).ms if len(names) < count else 2 * plain_ms for kind, names in kinds.items()}
    floor_ms = (1 - CLEARLY) * plain_ms  # a difference that is lost in noise is not 0
    work = {kind: sum(layer.work for layer in layers if layer.kind == kind) for kind in kinds}
    prices = {
        layer.name: max(times_ms[layer.kind] - plain_ms, floor_ms) * layer.work / work[layer.kind] for layer in layers
    }
    faster = ALL_INT8
    for kind in sorted(kinds, key=lambda kind: (times_ms[kind], kind)):
        joined = faster | kinds[kind]
        if times_ms[kind] < CLEARLY * plain_ms and len(joined) < count:
            faster = joined if candidates.of(joined).ms < CLEARLY * candidates.of(faster).ms else faster
    return prices, faster


def _in_order(layers: Sequence[Layer]) -> list[str]:
    return list(dict.fromkeys(layer.kind for layer in layers))


def _fewest(names: Sequence[str], base: Layers, candidates: Candidates, budget: MixedPrecision) -> list[str]:
    """The shortest beginning of `names` that keeps the budget in float."""
    low, high = 0, len(names)  # `low` does not keep it; all do, but that is no INT8 file
    while high - low > 1:
        middle = (low + high) // 2
        if _keeps(budget, candidates.of(base | set(names[:middle]))):
            high = middle
        else:
            low = middle
    if high == len(names):
        best = min(candidates.done.values(), key=lambda candidate: candidate.loss_db)
        raise Impossible(
            f"only the float network keeps {_promised(budget)}: with a single layer in int8 the best file loses "
            f"{best.loss_db:.3g} dB, {best.worst_loss_db:.3g} on the worst image"
        )
    return list(names[:high])


def _spare(names: list[str], base: Layers, candidates: Candidates, budget: MixedPrecision) -> Layers:
    """`base` and what is left of `names` when all that can be spared has gone, the least valuable first."""
    size = max(len(names) // 2, 1)
    while size:
        for start in range((len(names) - 1) // size * size, -1, -size):
            left = names[:start] + names[start + size :]
            now, then = candidates.of(base | set(names)), candidates.of(base | set(left))
            if _keeps(budget, then) and CLEARLY * then.ms <= now.ms:
                names = left
        size //= 2
    return base | set(names)


def _close_gaps(kept: Layers, layers: Sequence[Layer], candidates: Candidates) -> None:
    """Try in float what has float layers on all sides: int8 there pays two conversions."""
    for layer in layers:
        if layer.name not in kept and layer.neighbours and layer.neighbours <= kept and len(kept) + 1 < len(layers):
            joined = kept | {layer.name}
            kept = joined if candidates.of(joined).ms < CLEARLY * candidates.of(kept).ms else kept


def _cheapest(candidates: Sequence[Candidate]) -> Candidate:
    """The one with the fewest layers in float among those that are about as fast as the fastest."""
    fastest = min(candidate.ms for candidate in candidates)
    about = [candidate for candidate in candidates if CLEARLY * candidate.ms <= fastest]
    return min(
        about, key=lambda candidate: (len(candidate.float_layers), candidate.loss_db, sorted(candidate.float_layers))
    )


def _keeps(budget: MixedPrecision, candidate: Candidate) -> bool:
    worst = budget.max_worst_loss_db
    return candidate.loss_db <= budget.max_loss_db and (worst is None or candidate.worst_loss_db <= worst)


def _promised(budget: MixedPrecision) -> str:
    worst = budget.max_worst_loss_db
    return f"max_loss_db {budget.max_loss_db:g}" + (f" and max_worst_loss_db {worst:g}" if worst is not None else "")
