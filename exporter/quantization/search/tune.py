"""Which INT8 settings suit a network: tried one after another, each judged by pictures it has not learned from.

No technique wins on every network (benchmarks/quantization_ablation.md): equalization is worth 2 dB on one and nothing
on another, and ranges that cut off rare values help one picture and ruin the next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from statistics import mean
from typing import Any

from exporter.data.spread import evenly_spread

Settings = Mapping[str, Any]
Measure = Callable[[Settings], Sequence[float]]  # the mean squared error of each judging picture, full scale 1

WEIGHTS: tuple[Settings, ...] = (
    {"equalize": True},
    {"rounding": "adaptive"},
    {"equalize": True, "rounding": "adaptive", "bias_correction": True},
)
# Not "mse" nor "entropy": what they cut off is missed on pictures that neither learning nor judging has seen.
RANGES: tuple[Settings, ...] = ({"ranges": "percentile"},)
COUNT = 1 + len(WEIGHTS) + len(RANGES)
WORTH = 0.95  # of an error, 0.2 dB: a smaller gain on a few dozen pictures need not be one on others
EXACT = 1e-12  # an error that stands for none, so that it has decibels


@dataclass(frozen=True, slots=True)
class Trial:
    """Errors are means of squares over the judging pictures, and that of the worst of them."""

    settings: Settings
    error: float
    worst: float

    def beats(self, other: Trial) -> bool:
        """Clearly better over all pictures, and not worse on the worst: what is cut off shows there."""
        return self.error < WORTH * other.error and self.worst <= other.worst

    @property
    def parity_db(self) -> float:
        return _decibel(self.error)

    def told(self) -> dict[str, Any]:
        return {
            "settings": dict(self.settings),
            "parity_db": round(self.parity_db, 2),
            "worst_db": round(_decibel(self.worst), 2),
        }


def tune(measure: Measure) -> tuple[Trial, list[Trial]]:
    """The best trial and all of them in order: first what is done to weights, then how ranges are chosen."""
    best = _tried({}, measure)
    trials = [best]
    for group in (WEIGHTS, RANGES):
        before = best.settings
        for settings in group:
            trial = _tried({**before, **settings}, measure)
            trials.append(trial)
            best = trial if trial.beats(best) else best
    return best, trials


def divided(images: int, most_to_learn: int, most_to_judge: int) -> tuple[list[int], list[int]]:
    """Places of the pictures to learn from, at most half, and of others to judge by; both spread over `images`."""
    learn = evenly_spread(images, min(most_to_learn, images // 2))
    others = [place for place in range(images) if place not in learn]
    return learn, [others[place] for place in evenly_spread(len(others), most_to_judge)]


def _tried(settings: Settings, measure: Measure) -> Trial:
    errors = measure(settings)
    return Trial(settings, mean(errors), max(errors))


def _decibel(error: float) -> float:
    return -10 * log10(max(error, EXACT))
