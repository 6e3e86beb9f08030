"""Everything measured of one target's file on that target's runtime."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from exporter.artifact import INTEGERS, Artifact, Format
from exporter.errors import EngineError
from exporter.inspect.lint import lint_model
from exporter.inspect.npu.lint import lint_npu
from exporter.inspect.own_engine import for_own_engine
from exporter.inspect.residency import ask_residency, delegation_findings
from exporter.inspect.results import Audit, Finding, Residency
from exporter.measure.cross_runtime import check_runtimes
from exporter.measure.evaluation import Pictures, Renderings
from exporter.measure.layout import check_layout
from exporter.measure.overshoot import overshoot_findings
from exporter.measure.parity import measure_parity
from exporter.measure.quality import measure_quality
from exporter.measure.results import NOT_TIMED, CrossRuntimeCheck, Seam, TargetResult, Tiled
from exporter.measure.suspicion import suspected
from exporter.measure.tiling import measure_seam
from exporter.not_measured import NotMeasured
from exporter.runtimes.base import Runtime

NOT_TILED = NotMeasured("no tiling was chosen")
LEAST_INTEGER_SHARE = 0.5  # a file that computes less in integers is a float file, whatever its weights are stored as
LINTED = (Format.TFLITE, Format.ONNX)


def measure_target(
    name: str,
    runtime: Runtime,
    artifact: Artifact,
    reference: Artifact,
    reference_runtime: Runtime,
    renderings: Renderings,
    *,
    threads: int,
    tiled: Tiled | NotMeasured = NOT_TILED,
    also_on: Sequence[Runtime] = (),
) -> TargetResult:
    """Audit and lint `artifact`, then run it; `reference` is the float torch model of its own chain.

    It is not timed: all targets of a run are, in turns (`exporter/measure/latency.py`). What cannot be measured becomes
    NotMeasured with its reason: a runtime that is missing, an engine that crashes. Pictures that a stage already has
    are not computed again.
    """
    audit, findings = _look_inside(artifact, [runtime.name, *(other.name for other in also_on)])
    why = runtime.missing()
    absent = NotMeasured(why or "")
    result = TargetResult(
        name, runtime.name, artifact, absent, absent, absent, audit, findings, absent, residency=absent
    )
    if artifact.format == Format.TFLITE and artifact.precision in INTEGERS:
        result = replace(result, npu=lint_npu(artifact.path))
    if why:
        return result
    result = replace(result, residency=ask_residency(runtime, artifact, threads))
    expected = _expected(reference, reference_runtime, renderings)
    if isinstance(expected, NotMeasured):  # which says nothing of the file
        result = replace(result, parity=expected, quality=expected)
    else:
        try:
            pictures = renderings.of(artifact, runtime)
            result = _compared(result, pictures, expected, renderings)
            result = _with(result, check_layout(runtime, artifact, reference_runtime, reference, threads))
            checks = check_runtimes(artifact, also_on, pictures, expected, renderings)
            result = _with(replace(result, cross_runtime=checks), _failures(checks))
            doubted = suspected(result.residency, runtime, artifact, dict(enumerate(pictures)), renderings)
            result = _with(replace(result, residency=doubted), _suspicions(replace(result, residency=doubted)))
        except EngineError as error:
            failed = NotMeasured.because(error)
            result = _with(replace(result, parity=failed, quality=failed), [_failure(runtime.name, failed)])
    result = _with(result, delegation_findings(runtime, artifact, result.residency))
    return replace(result, latency=NOT_TIMED, seam=_seam(runtime, artifact, tiled, renderings))


def _compared(result: TargetResult, pictures: Pictures, expected: Pictures, renderings: Renderings) -> TargetResult:
    ends_at_range = result.artifact.precision in INTEGERS
    clip = result.artifact.input.clip
    parity = measure_parity(expected, pictures, renderings.names, ends_at_range=ends_at_range, clip=clip)
    quality = measure_quality(pictures, expected, renderings.evaluation)
    return _with(replace(result, parity=parity, quality=quality), overshoot_findings(parity))


def _with(result: TargetResult, findings: Iterable[Finding]) -> TargetResult:
    return replace(result, findings=(*result.findings, *findings))


def _expected(reference: Artifact, runtime: Runtime, renderings: Renderings) -> Pictures | NotMeasured:
    try:
        return renderings.of(reference, runtime)
    except EngineError as error:
        return NotMeasured.because(error)


def _failures(cross_runtime: Sequence[CrossRuntimeCheck]) -> Iterator[Finding]:
    for check in cross_runtime:
        if check.installed and isinstance(check.parity, NotMeasured):
            yield _failure(check.runtime, check.parity)


def _suspicions(result: TargetResult) -> Iterator[Finding]:
    of_engines = {
        result.runtime: result.residency,
        **{check.runtime: check.residency for check in result.cross_runtime},
    }
    for runtime, residency in of_engines.items():
        if isinstance(residency, Residency) and residency.suspect:
            yield Finding("warning", "suspect", f"{runtime}: {residency.suspect}")


def _failure(runtime: str, why: NotMeasured) -> Finding:
    """A file that an engine cannot run is an error; a worker that was lost says nothing of the file."""
    if why.lost:
        return Finding("warning", "runs", f"{runtime} was lost while it ran the file: {why.reason}")
    return Finding("error", "runs", f"{runtime} cannot run the file: {why.reason}")


def _look_inside(artifact: Artifact, runtimes: Sequence[str]) -> tuple[Audit | NotMeasured, tuple[Finding, ...]]:
    if artifact.format not in LINTED:
        return NotMeasured(f"there is no audit of {artifact.format} files"), ()
    audit, findings = lint_model(artifact.path)
    findings = for_own_engine(artifact, findings, runtimes)
    share = {"int8": audit.int8_mac_share, "int16x8": audit.int16_mac_share}.get(artifact.precision, 1.0)
    if share < LEAST_INTEGER_SHARE:
        name, integers = {"int8": ("INT8", "int8"), "int16x8": ("int16x8", "int16")}[artifact.precision]
        words = f"the file is called {name}, but {share:.0%} of its multiply-accumulates are done in {integers}"
        findings = (Finding("error", f"not-{integers}", words), *findings)
    return audit, findings


def _seam(
    runtime: Runtime, artifact: Artifact, tiled: Tiled | NotMeasured, renderings: Renderings
) -> Seam | NotMeasured:
    if isinstance(tiled, NotMeasured):
        return tiled
    try:
        return measure_seam(runtime, artifact, tiled.tiling, renderings)
    except EngineError as error:
        return NotMeasured.because(error)
