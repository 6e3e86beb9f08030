"""How long a file takes beside the recipe's own: both in this process, in turns (`exporter/measure/latency.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.artifact import Artifact
from exporter.measure.latency import Call, time_calls
from exporter.measure.noise import ratio_interval
from exporter.measure.results import Latency
from exporter.not_measured import NotMeasured
from exporter.runtimes import runtime
from exporter.runtimes.base import Image
from exporter.search.results import Pace


@dataclass(frozen=True, slots=True)
class Clock:
    """`own`: the recipe's own file of a target, and `own_ms`, what it took when it was timed first."""

    runtime: str
    own: Artifact
    own_ms: float
    threads: int
    runs: int
    warmup: int
    image: Image

    def beside_own(self, files: Sequence[Artifact]) -> list[tuple[Pace, Latency] | NotMeasured]:
        """Each of `files` beside the recipe's own, all in the same turns."""
        own, *timed = self._times([self.own, *files])
        return [_pace(one, own, self.own_ms) for one in timed]

    def alone(self) -> tuple[Latency | NotMeasured, ...]:
        """The recipe's own file."""
        return self._times([self.own])

    def _times(self, files: Sequence[Artifact]) -> tuple[Latency | NotMeasured, ...]:
        engine = runtime(self.runtime)
        return time_calls([Call(engine, file, self.threads, self.image) for file in files], self.runs, self.warmup)


def _pace(one: Latency | NotMeasured, own: Latency | NotMeasured, own_ms: float) -> tuple[Pace, Latency] | NotMeasured:
    if isinstance(one, NotMeasured):
        return one
    if isinstance(own, NotMeasured):
        return own
    ratio, (low, high) = ratio_interval(one.samples_ms, own.samples_ms, one.turns)
    return Pace(ms=own_ms * ratio, ratio=ratio, low=low, high=high), one


def same_file(own_ms: float) -> Pace:
    """Of a file that is the recipe's own, byte by byte."""
    return Pace(ms=own_ms, ratio=1.0, low=1.0, high=1.0)
