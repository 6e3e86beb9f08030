"""How long one model call takes."""

from __future__ import annotations

import math

from exporter.artifact import Artifact
from exporter.errors import EngineError
from exporter.runtimes.base import Image, Runtime
from exporter.verify.results import Latency

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

    Raises EngineError when the engine fails or its clock gives nonsense.
    """
    with runtime.open(artifact, threads) as session:
        samples_ms = session.time_ms(image, runs, warmup)
    if len(samples_ms) != runs or not all(math.isfinite(ms) and ms > 0 for ms in samples_ms):
        raise EngineError(f"{runtime.name} gave unusable timings for {artifact.path.name}: {samples_ms[:3]}…")
    return Latency(runtime.device(threads), threads, tuple(samples_ms))
