"""Timing several files in turns, so that whatever disturbs the machine meanwhile disturbs all of them alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from exporter.errors import EngineError
from exporter.runtimes.base import Image, Session

WARM_AGAIN = 1  # untimed calls in each later turn: other files have had the caches meanwhile


@dataclass(slots=True)
class Racer:
    """One loaded file; `turns_ms` gets a list for each of its turns, `failed` what ended it."""

    name: str
    session: Session
    image: Image
    turns_ms: list[list[float]] = field(default_factory=list)
    failed: EngineError | None = None

    def take(self, calls: int, warmup: int) -> None:
        """One turn. Raises EngineError when the engine fails or its clock gives nonsense."""
        samples_ms = self.session.time_ms(self.image, calls, warmup)
        if len(samples_ms) != calls or not all(math.isfinite(ms) and ms > 0 for ms in samples_ms):
            raise EngineError(f"{self.name} gave unusable timings: {samples_ms[:3]}…")
        self.turns_ms.append(samples_ms)


def race(racers: Sequence[Racer], calls: Sequence[int], warmup: int, look: Callable[[], None] = lambda: None) -> None:
    """`calls[n]` timed calls of every racer in turn n, after `warmup` untimed ones in the first turn.

    Every other turn goes the other way round, so that nobody always follows the same one. `look` is called before the
    first turn and after each. One that fails is out, the others go on.
    """
    look()
    for number, count in enumerate(calls):
        for racer in racers[:: -1 if number % 2 else 1]:
            if racer.failed is None:
                try:
                    racer.take(count, WARM_AGAIN if racer.turns_ms else warmup)
                except EngineError as error:
                    racer.failed = error
        look()
