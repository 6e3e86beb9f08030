"""All files take turns, the machine is watched, and a disturbed measurement is made again: with a clock handed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from exporter.artifact import Artifact, Format
from exporter.errors import EngineError
from exporter.measure.latency import ATTEMPTS, REPEAT_WITHIN_S, Call, noise_remarks, time_calls, timing_of
from exporter.measure.load import Load
from exporter.measure.results import Latency, TargetResult, Timing
from exporter.not_measured import NotMeasured
from exporter.runtimes.base import Session
from tests.runtimes.tiny_models import TinyFiles

IMAGE = np.zeros((2, 2, 3), np.float32)
QUIET = Load(2, 0.0)
BUSY = Load(2, 1.2)


@dataclass
class Clock(Session):
    """An engine that writes down when it was asked, and answers `ms` of the machine's present slowness."""

    engine: Engine

    def time_ms(self, image, runs, warmup):
        self.engine.log.append((self.engine.name, runs, warmup))
        return [self.engine.ms() for _ in range(runs)]

    def __exit__(self, *_):
        self.engine.closed += 1


@dataclass
class Engine:
    name: str
    log: list
    ms: Callable[[], float] = lambda: 3.0
    takes: Format = Format.TFLITE
    elsewhere: bool = False
    closed: int = 0

    def device(self, threads: int) -> str:
        return f"{self.name}, {threads} threads"

    def open(self, artifact: Artifact, threads: int) -> Session:
        return Clock(self)


@dataclass
class Watched:
    """One load for each attempt."""

    loads: Iterator[Load]
    looks: list[int] = field(default_factory=list)

    def __call__(self) -> Watched:
        self.looks.append(0)
        return self

    def look(self) -> None:
        self.looks[-1] += 1

    def load(self) -> Load:
        return next(self.loads)


@pytest.fixture(autouse=True)
def _measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.measure.latency.REPEAT_WITHIN_S", REPEAT_WITHIN_S)


def timed(engines, loads, tiny: TinyFiles, runs=50, warmup=7, clock_s=lambda: 0.0):
    watched = Watched(iter(loads))
    calls = [Call(engine, tiny.tflite(), 2, IMAGE) for engine in engines]
    return time_calls(calls, runs, warmup, watched, clock_s), watched


def test_files_take_turns_one_way_and_the_other(tiny: TinyFiles):
    log: list = []
    engines = [Engine("a", log), Engine("b", log), Engine("c", log)]
    found, watched = timed(engines, [QUIET], tiny, runs=23)
    turns = [log[n : n + 3] for n in range(0, len(log), 3)]
    assert [[name for name, _, _ in turn] for turn in turns] == [["a", "b", "c"], ["c", "b", "a"]] * 5
    assert [turn[0][1:] for turn in turns] == [(3, 7), (3, 1), (3, 1), *[(2, 1)] * 7], "warmed up once, then again"
    assert watched.looks == [11], "before the first turn and after each"
    assert [engine.closed for engine in engines] == [1, 1, 1]
    assert [(len(one.samples_ms), one.turns, one.load, one.attempts) for one in found] == [(23, 10, QUIET, 1)] * 3
    assert found[1].device == "b, 2 threads"


def test_a_disturbed_measurement_is_made_again_and_the_quiet_one_counts(tiny: TinyFiles):
    pace = iter([3.1] * 50 + [7.7] * 50)
    log: list = []
    found, _ = timed([Engine("a", log, lambda: next(pace)), Engine("b", log)], [BUSY, QUIET], tiny)
    assert [(one.p50_ms, one.attempts, one.noise) for one in found] == [(7.7, 2, ()), (3.0, 2, ())]


def test_a_machine_that_stays_busy_is_asked_so_often_and_no_more(tiny: TinyFiles):
    pace = iter([7.7] * 50 + [5.0] * 50 + [9.0] * 50)
    (one,), watched = timed([Engine("a", [], lambda: next(pace))], [BUSY] * 9, tiny)
    assert len(watched.looks) == ATTEMPTS == one.attempts == 3
    assert one.p50_ms == 5.0, "a disturbance only adds"
    assert one.noise == ("other programs took 1.2 of 2 cores",)


def test_nothing_is_repeated_that_takes_long(tiny: TinyFiles):
    seconds = iter([0.0, 25.0])
    (one,), watched = timed([Engine("a", [])], [BUSY] * 9, tiny, clock_s=lambda: next(seconds))
    assert one.attempts == len(watched.looks) == 1 and one.noise


@pytest.mark.parametrize("samples_ms", [[1.0, float("nan"), 1.0], [1.0, 0.0, 1.0], [1.0, 1.0], [-1.0, 1.0, 1.0]])
def test_nonsense_from_a_clock_is_no_latency_and_the_others_go_on(samples_ms: list[float], tiny: TinyFiles):
    class Broken(Engine):
        def open(self, artifact, threads):
            session = Clock(self)
            session.time_ms = lambda image, runs, warmup: samples_ms
            return session

    found, watched = timed([Broken("broken", []), Engine("a", [])], [BUSY, QUIET], tiny, runs=30)
    assert isinstance(found[0], NotMeasured) and "broken of tiny" in found[0].reason
    assert "unusable timings" in found[0].reason
    assert isinstance(found[1], Latency) and found[1].attempts == 2


def test_an_engine_that_is_lost_is_not_asked_again(tiny: TinyFiles):
    asked = []

    class Lost(Engine):
        def open(self, artifact, threads):
            asked.append(self.name)
            raise EngineError("no answer in 900 s")

    found, _ = timed([Engine("a", []), Lost("lost", [])], [BUSY] * 3, tiny)
    assert asked == ["lost"] and found[1] == NotMeasured("no answer in 900 s", failed=True)


def test_a_phone_is_timed_by_itself(tiny: TinyFiles):
    log: list = []
    phone = Engine("phone", log, elsewhere=True)
    found, watched = timed([phone, Engine("a", log)], [BUSY] * 3, tiny, runs=5)
    assert log[-1] == ("phone", 5, 7) and [name for name, _, _ in log].count("phone") == 1
    assert (found[0].turns, found[0].load, found[0].noise, found[0].attempts) == (1, None, (), 1)
    assert timed([], [], tiny)[0] == ()


def test_what_disturbed_is_said_once_with_its_targets(tiny: TinyFiles):
    absent = NotMeasured("x")
    steady = Latency("x86", 2, (3.0,) * 10, 10, BUSY)
    unsure = replace(steady, samples_ms=(3.0,) * 5 + (9.0,) * 5)
    targets = [
        TargetResult(name, "litert_cpu", tiny.tflite(), absent, absent, latency, absent)
        for name, latency in (("a", steady), ("b", unsure), ("c", absent), ("d", replace(steady, load=QUIET)))
    ]
    assert noise_remarks(targets) == (
        "noisy times of a, b: other programs took 1.2 of 2 cores",
        "noisy times of b: the median is uncertain, 3 to 9 ms",
    )
    call = Call(Engine("e", []), replace(tiny.tflite("int8"), precision="int8"), 2, IMAGE)
    assert timing_of(call, steady, "b") == Timing("b", "int8", "e", 2, steady)
