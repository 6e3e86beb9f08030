"""Which INT8 settings suit a network: tried one after another, each judged by pictures it has not learned from.

No technique wins on every network (benchmarks/quantization_ablation.md): equalization is worth 2 dB on one and nothing
on another, and ranges that cut off rare values help one picture and ruin the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import log10
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.data.shown import shown
from exporter.data.spread import evenly_spread
from exporter.quantization.settings import Int8Settings

Floats = NDArray[np.float32]
Show = Callable[[Floats], Floats]  # a picture (H, W, 3) RGB 0..1 through a file

WEIGHTS: tuple[dict[str, Any], ...] = (
    {"equalize": True},
    {"rounding": "adaptive"},
    {"equalize": True, "rounding": "adaptive", "bias_correction": True},
)
# Not "mse" nor "entropy": what they cut off is missed on pictures that neither learning nor judging has seen.
RANGES: tuple[dict[str, Any], ...] = ({"ranges": "percentile"},)
COUNT = 1 + len(WEIGHTS) + len(RANGES)
WORTH = 0.95  # of an error, 0.2 dB: a smaller gain on a few dozen pictures need not be one on others
SMALLEST_ERROR = 1e-12  # stands for none, so that it has decibels


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of settings; errors are means of squares over the judging pictures, and that of the worst of them."""

    settings: Int8Settings
    error: float
    worst: float

    @classmethod
    def of(cls, settings: Int8Settings, errors: Sequence[float]) -> Trial:
        """`errors`: one mean squared error for each picture, full scale 1."""
        return cls(settings, mean(errors), max(errors))

    def beats(self, other: Trial) -> bool:
        """Clearly better over all pictures, and not worse on the worst: what is cut off shows there."""
        return self.error < WORTH * other.error and self.worst <= other.worst

    @property
    def parity_db(self) -> float:
        return _decibel(self.error)

    def to_report(self) -> dict[str, Any]:
        return {
            "settings": self.settings.chosen,
            "parity_db": round(self.parity_db, 2),
            "worst_db": round(_decibel(self.worst), 2),
        }


class Study:
    """Asks for one trial after another: first what is done to weights, then, on the best of those, how ranges are
    chosen."""

    def __init__(self) -> None:
        self.trials: list[Trial] = []
        self.best: Trial

    def ask(self) -> Iterator[Int8Settings]:
        """Settings to try; each is told before the next is asked for."""
        yield Int8Settings()
        for group in (WEIGHTS, RANGES):
            before = self.best.settings.chosen
            for settings in group:
                yield Int8Settings(**before | settings)

    def tell(self, settings: Int8Settings, errors: Sequence[float]) -> None:
        """What came of them: one mean squared error for each judging picture, full scale 1."""
        trial = Trial.of(settings, errors)
        if not self.trials or trial.beats(self.best):
            self.best = trial
        self.trials.append(trial)


class Judges:
    """Pictures beside what the float network makes of them, computed once and kept in `folder`."""

    def __init__(self, pictures: Iterable[Floats], original: Show, folder: Path) -> None:
        self._files = []
        for number, picture in enumerate(pictures):
            self._files.append((folder / f"{number}.npy", folder / f"{number}_float.npy"))
            for file, values in zip(self._files[-1], (picture, original(picture)), strict=True):
                np.save(file, values)

    def __len__(self) -> int:
        return len(self._files)

    def errors(self, show: Show) -> list[float]:
        """The mean squared error of each picture, full scale 1; one picture in memory at a time."""
        return [squared_error(show(np.load(given)), np.load(wanted)) for given, wanted in self._files]


def squared_error(made: Floats, wanted: Floats) -> float:
    """Of two pictures as they are shown: what a network gives beyond 0..1 an INT8 file need not hold."""
    return float(((shown(made) - shown(wanted)) ** 2).mean())


def divided(images: int, most_to_learn: int, most_to_judge: int) -> tuple[list[int], list[int]]:
    """Places of the pictures to learn from, at most half, and of others to judge by; both spread over `images`."""
    learn = evenly_spread(images, min(most_to_learn, images // 2))
    others = [place for place in range(images) if place not in learn]
    return learn, [others[place] for place in evenly_spread(len(others), most_to_judge)]


def _decibel(error: float) -> float:
    return -10 * log10(max(error, SMALLEST_ERROR))
