"""The further sizes of a target's file: parity and quality on a few pictures, and how long a call takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from exporter.artifact import Artifact, Signature
from exporter.data.evaluation import EvaluationSet, Pair
from exporter.data.spread import evenly_spread
from exporter.errors import EngineError
from exporter.measure.evaluation import Renderings
from exporter.measure.latency import measure_latency
from exporter.measure.parity import measure_parity
from exporter.measure.quality import measure_quality
from exporter.measure.results import Latency, Parity, SizeResult, TargetResult
from exporter.not_measured import NotMeasured
from exporter.runtimes.base import Runtime

PICTURES = 4  # of each further size: the same network, so that what differs is seen on any
MOST_RUNS, MOST_WARMUP = 10, 2  # a large picture takes a second


def some_pairs(evaluation: EvaluationSet) -> tuple[Pair, ...]:
    """A few, spread over the set."""
    places = evenly_spread(len(evaluation), PICTURES)
    return tuple(pair for place, pair in enumerate(evaluation) if place in places)


def with_sizes(
    result: TargetResult,
    runtime: Runtime,
    reference: Artifact,
    reference_runtime: Runtime,
    pictures: Mapping[str, Renderings],
    runs: int,
    warmup: int,
) -> TargetResult:
    """`result` with the further sizes of its file; its parity becomes the worst of all sizes.

    `reference`: the float torch model of its chain; `pictures`: by signature, at its size.
    """
    if runtime.missing():
        return result
    sizes = []
    for signature in result.artifact.signatures[1:]:
        expected = reference.with_size(signature.input.height, signature.input.width)
        renderings = pictures[signature.name]
        sizes.append(
            _of_size(result.artifact, signature, runtime, expected, reference_runtime, renderings, runs, warmup)
        )
    return replace(result, sizes=tuple(sizes), parity=_worst(result.parity, sizes))


def _of_size(
    file: Artifact,
    signature: Signature,
    runtime: Runtime,
    reference: Artifact,
    reference_runtime: Runtime,
    renderings: Renderings,
    runs: int,
    warmup: int,
) -> SizeResult:
    at_size = file.at(signature)
    names = [f"{name} at {signature.name}" for name in renderings.names]
    try:
        expected, made = renderings.of(reference, reference_runtime), renderings.of(at_size, runtime)
    except EngineError as error:
        failed = NotMeasured.because(error)
        return SizeResult(signature.name, failed, failed, failed)
    latency: Latency | NotMeasured
    try:
        image, threads = renderings.evaluation[0].blurred, renderings.threads
        latency = measure_latency(runtime, at_size, image, threads, min(runs, MOST_RUNS), min(warmup, MOST_WARMUP))
    except EngineError as error:
        latency = NotMeasured.because(error)
    parity = measure_parity(expected, made, names, ends_at_range=file.precision == "int8")
    return SizeResult(signature.name, parity, measure_quality(made, expected, renderings.evaluation), latency)


def _worst(first: Parity | NotMeasured, sizes: list[SizeResult]) -> Parity | NotMeasured:
    """One promise for the file: a size that could not be run leaves it unmeasured."""
    if isinstance(first, NotMeasured):
        return first
    for size in sizes:
        if isinstance(size.parity, NotMeasured):
            return replace(size.parity, reason=f"at {size.signature}: {size.parity.reason}")
        if not size.parity.worst_psnr_db >= first.worst_psnr_db:  # NaN is worst
            first = replace(size.parity, images=first.images + size.parity.images)
        else:
            first = replace(first, images=first.images + size.parity.images)
    return first
