"""How long one model call takes: all files in turns, the machine watched, once more where it was disturbed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import log

from exporter.artifact import Artifact
from exporter.errors import EngineError
from exporter.measure.load import Load, MachineWatch, Watch
from exporter.measure.noise import split
from exporter.measure.results import Latency, TargetResult, Timing
from exporter.measure.turns import Racer, race
from exporter.not_measured import NotMeasured
from exporter.runtimes import RUNTIMES
from exporter.runtimes.base import Image, Runtime, untimed

TURNS = 10  # enough for a 95 % interval that one disturbed turn does not reach
ATTEMPTS = 3  # at most, where the machine was disturbed
REPEAT_WITHIN_S = 20.0  # no attempt begins later than this after the first

Measured = Latency | NotMeasured


@dataclass(frozen=True, slots=True)
class Call:
    """What is timed: `artifact` on `runtime` with so many threads, on one image."""

    runtime: Runtime
    artifact: Artifact
    threads: int
    image: Image


def time_calls(
    calls: Sequence[Call],
    runs: int,
    warmup: int,
    watch: Callable[[], Watch] = MachineWatch,
    clock_s: Callable[[], float] = time.monotonic,
) -> tuple[Measured, ...]:
    """`runs` model calls of each, after `warmup` untimed ones; copies and conversions are not timed.

    All files are open at once and take turns. A disturbed measurement is made again, of all of them, a few times; the
    first quiet one counts, else the fastest, as a disturbance only adds. What runs on another device than this machine
    is timed by itself, once. A file that cannot be timed is NotMeasured with its reason.
    """
    here = [place for place, call in enumerate(calls) if not _elsewhere(call.runtime)]
    found = dict(zip(here, _until_quiet([calls[place] for place in here], runs, warmup, watch, clock_s), strict=True))
    for place in range(len(calls)):
        if place not in found:
            (found[place],) = _attempt([calls[place]], runs, warmup, None)
    return tuple(found[place] for place in range(len(calls)))


def _until_quiet(
    calls: Sequence[Call], runs: int, warmup: int, watch: Callable[[], Watch], clock_s: Callable[[], float]
) -> tuple[Measured, ...]:
    if not calls:
        return ()
    start_s = clock_s()
    found = _attempt(calls, runs, warmup, watch())
    running = [place for place, one in enumerate(found) if isinstance(one, Latency)]  # what failed is not asked again
    attempts = [[found[place] for place in running]]
    while _is_noisy(attempts[-1]) and len(attempts) < ATTEMPTS and clock_s() - start_s < REPEAT_WITHIN_S:
        attempts.append(list(_attempt([calls[place] for place in running], runs, warmup, watch())))
    best = min(attempts, key=lambda attempt: (_is_noisy(attempt), *_pace(attempt)))
    counted = {
        place: replace(one, attempts=len(attempts)) if isinstance(one, Latency) else one
        for place, one in zip(running, best, strict=True)
    }
    return tuple(counted.get(place, one) for place, one in enumerate(found))


def _is_noisy(attempt: Sequence[Measured]) -> bool:
    return any(isinstance(one, Latency) and one.noise for one in attempt)


def _pace(attempt: Sequence[Measured]) -> tuple[int, float]:
    """Smaller is better: fewer that failed, then the geometric mean of the medians."""
    medians_ms = [one.p50_ms for one in attempt if isinstance(one, Latency)]
    return len(attempt) - len(medians_ms), sum(map(log, medians_ms))


def _attempt(calls: Sequence[Call], runs: int, warmup: int, watch: Watch | None) -> tuple[Measured, ...]:
    turns = min(TURNS, runs) if watch else 1
    with ExitStack() as open_files:
        entered = [_enter(call, open_files) for call in calls]
        racers = [one for one in entered if isinstance(one, Racer)]
        race(racers, split(runs, turns), warmup, watch.look if watch else lambda: None)
        load = watch.load() if watch else None
        return tuple(_measured(call, one, turns, load) for call, one in zip(calls, entered, strict=True))


def _enter(call: Call, open_files: ExitStack) -> Racer | NotMeasured:
    try:
        if why := untimed(call.runtime):
            raise EngineError(f"{call.runtime.name} is not timed: {why}")
        session = open_files.enter_context(call.runtime.open(call.artifact, call.threads))
    except EngineError as error:
        return NotMeasured.because(error)
    return Racer(f"{call.runtime.name} of {call.artifact.path.name}", session, call.image)


def _measured(call: Call, entered: Racer | NotMeasured, turns: int, load: Load | None) -> Measured:
    if isinstance(entered, NotMeasured):
        return entered
    if entered.failed is not None:
        return NotMeasured.because(entered.failed)
    samples_ms = tuple(ms for turn_ms in entered.turns_ms for ms in turn_ms)
    return Latency(call.runtime.device(call.threads), call.threads, samples_ms, turns, load)


def _elsewhere(runtime: Runtime) -> bool:
    """Whether it runs on another device, which this machine's load does not reach and where a turn costs minutes."""
    return bool(getattr(runtime, "elsewhere", False))


def table_jobs(files: Iterable[Artifact], threads: Sequence[int]) -> list[tuple[Runtime, Artifact, int]]:
    """Every file on every installed runtime that takes its format, with each number of threads."""
    installed = [r for r in RUNTIMES if not untimed(r) and r.missing() is None] if threads else []
    return [
        (runtime, file, count)
        for count in threads
        for file in files
        for runtime in installed
        if runtime.takes == file.format
    ]


def timing_of(call: Call, latency: Measured, name: str) -> Timing:
    """One cell of a latency table; `name`: what its file is called there."""
    return Timing(name, call.artifact.precision, call.runtime.name, call.threads, latency)


def noise_remarks(targets: Iterable[TargetResult]) -> tuple[str, ...]:
    """One sentence for each thing that disturbed the clock, with the targets it concerns."""
    disturbed: dict[str, list[str]] = {}
    for target in targets:
        for reason in target.latency.noise if isinstance(target.latency, Latency) else ():
            disturbed.setdefault(reason, []).append(target.name)
    return tuple(f"noisy times of {', '.join(names)}: {reason}" for reason, names in disturbed.items())
