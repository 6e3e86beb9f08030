"""What a search found out, as it is kept and shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from exporter.measure.noise import WIDEST
from exporter.recipes.space import TIME, Objective

OWN = 0  # the number of the recipe's own settings
State = Literal["kept", "missed", "pruned", "failed"]


class Pace(BaseModel):
    """A file's median call beside that of the recipe's own file, both in the same turns.

    `ratio`: how many times as long, `low` and `high`: its 95 % interval. `ms`: what the recipe's own file took when it
    was timed first, times the ratio, so that times of different hours can be compared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ms: float
    ratio: float
    low: float
    high: float

    @property
    def is_noisy(self) -> bool:
        """Whether the interval is too wide for the time to say anything."""
        return self.high - self.low > WIDEST * self.ratio


class Trial(BaseModel):
    """One point and what came of it; number 0 is the recipe as it is, with an empty point.

    kept: no promise that was measured was missed. missed: one was. pruned: given up before all was measured, as one
    certainly would have been, or as another trial is better in every objective. failed: no file came out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    point: dict[str, Any]
    words: dict[str, str]  # the point as a command line says it
    state: State
    reasons: tuple[str, ...] = ()  # why it is not kept
    violation: float = 0.0  # how far promises are missed, as shares of their limits, summed
    figures: dict[str, dict[str, float]] = {}  # by target; what was not measured is not there
    pace: dict[str, Pace] = {}  # by target, where times matter
    psnr_each_db: dict[str, tuple[float, ...]] = {}  # by target, picture by picture
    files: dict[str, str] = {}  # target → sha256
    pictures: str = ""  # digest of the evaluation set
    layers: str = ""  # trials of the same layers and the same rounding say the same
    seconds: float = 0.0

    def value(self, objective: Objective) -> float | None:
        """The figure that is to be bettered; None where it was not measured."""
        if objective.figure == TIME and objective.target in self.pace:
            return self.pace[objective.target].ms
        return self.figures.get(objective.target, {}).get(objective.figure)

    def untrusted(self, objectives: Sequence[Objective], noisy: bool = False) -> str:
        """Why it may not stand on the front; empty: it may. `noisy`: a noisy time is no reason."""
        for objective in objectives:
            if self.value(objective) is None:
                return f"{objective.title} was not measured"
            pace = self.pace.get(objective.target)
            if objective.figure == TIME and pace is not None and pace.is_noisy and not noisy:
                return f"{objective.title} is noisy: {pace.low:.2f} to {pace.high:.2f} times the recipe's own"
        return ""

    @property
    def bare_words(self) -> dict[str, str]:
        """The words, quotes only where they are needed."""
        return {key: _bare(word) for key, word in self.words.items()}

    @property
    def command_words(self) -> str:
        """`prune.ratio=0.3 distill.kwargs.preset=s`."""
        return " ".join(f"{key}={word}" for key, word in self.bare_words.items()) or "as the recipe is"


def _bare(word: str) -> str:
    plain = word[1:-1]
    if word[:1] == '"' and plain and all(c.isalnum() or c in "._-/" for c in plain) and not plain[0].isdigit():
        return plain
    return word if not set(word) & set(" {}[]\"'") else f"'{word}'"
