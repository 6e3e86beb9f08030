"""How long one model call takes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from exporter.artifact import Artifact
from exporter.errors import EngineError
from exporter.measure.results import Latency, Timing
from exporter.not_measured import NotMeasured
from exporter.runtimes import RUNTIMES
from exporter.runtimes.base import Image, Runtime, untimed

DEFAULT_RUNS = 50
DEFAULT_WARMUP = 5


def measure_latency(
    runtime: Runtime,
    artifact: Artifact,
    image: Image,
    threads: int,
    runs: int = DEFAULT_RUNS,
    warmup: int = DEFAULT_WARMUP,
) -> Latency:
    """`runs` model calls on one real image after `warmup` untimed ones; copies and conversions are not timed.

    Raises EngineError when the engine fails, when its clock gives nonsense, or when it only imitates a device.
    """
    if why := untimed(runtime):
        raise EngineError(f"{runtime.name} is not timed: {why}")
    with runtime.open(artifact, threads) as session:
        samples_ms = session.time_ms(image, runs, warmup)
    if len(samples_ms) != runs or not all(math.isfinite(ms) and ms > 0 for ms in samples_ms):
        raise EngineError(f"{runtime.name} gave unusable timings for {artifact.path.name}: {samples_ms[:3]}…")
    return Latency(runtime.device(threads), threads, tuple(samples_ms))


def table_jobs(files: Iterable[Artifact], threads: Sequence[int]) -> list[tuple[Runtime, Artifact, int]]:
    """Every file on every installed runtime that takes its format, with each number of threads."""
    installed = [r for r in RUNTIMES if not untimed(r) and r.missing() is None] if threads else []
    return [
        (runtime, file, count)
        for file in files
        for runtime in installed
        if runtime.takes == file.format
        for count in threads
    ]


def time_one(runtime: Runtime, file: Artifact, threads: int, image: Image, runs: int, warmup: int) -> Timing:
    """One cell of a latency table; a file that the runtime cannot run is NotMeasured with its reason."""
    latency: Latency | NotMeasured
    try:
        latency = measure_latency(runtime, file, image, threads, runs, warmup)
    except EngineError as error:
        latency = NotMeasured.because(error)
    return Timing(file.path.name, file.precision, runtime.name, threads, latency)
