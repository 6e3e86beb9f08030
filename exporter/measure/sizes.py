"""The sizes of a target's file: of the further ones parity and quality on a few pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import isnan

from exporter.artifact import Artifact, Signature
from exporter.data.evaluation import EvaluationSet, Pair
from exporter.data.spread import evenly_spread
from exporter.errors import EngineError
from exporter.graph.read import read_graph
from exporter.inspect.lint import lint_model
from exporter.inspect.results import Finding
from exporter.measure.evaluation import Renderings
from exporter.measure.parity import measure_parity
from exporter.measure.quality import measure_quality
from exporter.measure.results import NOT_TIMED, Parity, SizeResult, TargetResult
from exporter.not_measured import NotMeasured
from exporter.runtimes.base import Runtime

PICTURES = 4  # of each further size: the same network, so that what differs is seen on any


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
) -> TargetResult:
    """`result` with the sizes of its file, if it has several, not timed yet; its parity becomes the worst of them.

    `reference`: the float torch model of its chain; `pictures`: by signature, at its size.
    """
    if runtime.missing() or not result.artifact.signatures:
        return result
    first, *others = result.artifact.signatures
    sizes = [SizeResult(first.name, result.parity, result.quality, result.latency)]
    for signature in others:
        expected = reference.with_size(signature.input.height, signature.input.width)
        renderings = pictures[signature.name]
        sizes.append(_of_size(result.artifact, signature, runtime, expected, reference_runtime, renderings))
    findings = (*result.findings, *_findings(result.artifact))
    return replace(result, sizes=tuple(sizes), parity=_worst(sizes), findings=findings)


def _findings(file: Artifact) -> Iterator[Finding]:
    """What the lint says of a further size by a rule that the first one keeps."""
    known = {finding.rule for finding in lint_model(file.path)[1]}
    for signature in file.signatures[1:]:
        _, found = lint_model(file.path, read_graph(file.path, signature.name))
        for finding in found:
            if finding.rule not in known:
                known.add(finding.rule)
                yield replace(finding, message=f"at {signature.name}: {finding.message}")


def _of_size(
    file: Artifact,
    signature: Signature,
    runtime: Runtime,
    reference: Artifact,
    reference_runtime: Runtime,
    renderings: Renderings,
) -> SizeResult:
    at_size = file.at(signature)
    names = [f"{name} at {signature.name}" for name in renderings.names]
    try:
        expected, made = renderings.of(reference, reference_runtime), renderings.of(at_size, runtime)
    except EngineError as error:
        failed = NotMeasured.because(error)
        return SizeResult(signature.name, failed, failed, failed)
    parity = measure_parity(expected, made, names, ends_at_range=file.precision == "int8")
    return SizeResult(signature.name, parity, measure_quality(made, expected, renderings.evaluation), NOT_TIMED)


def _worst(sizes: Sequence[SizeResult]) -> Parity | NotMeasured:
    """One promise for the file: a size that could not be run leaves it unmeasured."""
    parities = []
    for size in sizes:
        if isinstance(size.parity, NotMeasured):
            return replace(size.parity, reason=f"at {size.signature}: {size.parity.reason}")
        parities.append(size.parity)
    worst = min(parities, key=lambda parity: (not isnan(parity.worst_psnr_db), parity.worst_psnr_db))
    return replace(worst, images=sum(parity.images for parity in parities))
