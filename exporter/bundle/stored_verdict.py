"""The verdict that a bundle's report gives, judged again from the recipe's budgets and the report's own figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from math import isclose, isnan
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from pydantic import ValidationError

from exporter.artifact import Artifact
from exporter.bundle.documents import mapping, read_bounded
from exporter.bundle.manifest import Manifest, Model
from exporter.bundle.model_files import source_size_bytes
from exporter.bundle.report_file import REPORT, Absent, Promise, Report, Residency, Target
from exporter.inspect.results import Finding
from exporter.judge.budget import Pledge, judge
from exporter.judge.verdicts import Status, Verdict, tally
from exporter.judge.versions import versions_due
from exporter.measure.results import TargetResult
from exporter.recipes.promises import Budget
from exporter.runtimes.placement import XNNPACK

JUNIT = "report/junit.xml"
_ROUNDING_DB = 1e-6
_CASES = {Status.KEPT: None, Status.MISSED: "failure", Status.NOT_MEASURED: "skipped"}  # status -> element in its case


def verdict_problems(report: Report, manifest: Manifest, bundle: Path) -> Iterator[str]:
    """Where the report's verdict does not follow from its promises, or these not from its figures."""
    counted = tally(report.promises)
    if (report.verdict, report.exit_code) != (counted.status, counted.status.exit_code):
        yield (
            f"{REPORT} says {report.verdict.value}, exit code {report.exit_code}; its promises say "
            f"{counted.status.value}, {counted.status.exit_code}"
        )
    if report.counts != asdict(counted):
        yield f"{REPORT} counts its promises wrongly"
    for target in report.targets:
        yield from (f"{REPORT}, target {target.name}: {problem}" for problem in _figure_problems(target))
    try:
        pledges = pledges_of(manifest.recipe)
    except ValidationError as error:
        detail = error.errors()[0]
        yield f"the recipe in manifest.json: {'.'.join(map(str, detail['loc'])) or 'a budget'}: {detail['msg']}"
        return
    results = {target.name: _result(target, manifest.judged[target.name][0], bundle) for target in report.targets}
    demand_all = mapping(manifest.recipe.get("verify")).get("demand_all") is True
    yield from _judgement_problems(report.promises, judge(pledges, results, demand_all))


def pledges_of(recipe: Mapping[str, Any]) -> dict[str, Pledge]:
    """What a recipe as resolved promises, by target. Raises ValidationError for a budget that is none."""
    general = Budget.model_validate(recipe.get("budget") or {}, strict=True)
    pledges = {}
    for name, target in mapping(recipe.get("targets")).items():
        own = Budget.model_validate(mapping(target).get("budget") or {}, strict=True)
        laid_over = {key: getattr(own, key) for key in own.model_fields_set}
        also_on = mapping(target).get("also_on") or []
        engines = tuple(str(runtime) for runtime in also_on) if isinstance(also_on, list) else ()
        runtime, versions = str(mapping(target).get("runtime")), mapping(recipe.get("verify")).get("versions") or []
        due = versions_due(runtime, map(str, versions) if isinstance(versions, list) else ())
        pledges[name] = Pledge(runtime, general.model_copy(update=laid_over), engines, due)
    return pledges


def _judgement_problems(told: tuple[Promise, ...], judged: tuple[Verdict, ...]) -> Iterator[str]:
    stored = {(promise.target, promise.promise, promise.runtime): promise for promise in told}
    due = {tuple(verdict.id): verdict for verdict in judged}
    if len(stored) < len(told):
        yield f"{REPORT} judges a promise twice"
    for target, promise, runtime in sorted(stored.keys() ^ due.keys()):
        where = "its recipe does not make" if (target, promise, runtime) in stored else "it does not judge"
        yield f"{REPORT}: {target}: {promise} on {runtime} is a promise that {where}"
    for key in sorted(stored.keys() & due.keys()):
        said, right = stored[key], due[key]
        name = f"{REPORT}: {right.id}"
        if not (_same(said.limit, right.limit) and _same(said.value, right.value)):
            figures = f"{said.value} against {said.limit}"
            yield f"{name}: {figures}; recipe and figures say {right.value} against {right.limit}"
        elif said.status != right.status:
            yield f"{name} is called {said.status.value}; it is {right.status.value}"
        elif said.demanded != right.demanded:
            yield f"{name} is {'' if said.demanded else 'not '}called demanded"


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return one == other or (isnan(one) and isnan(other))


def _figure_problems(target: Target) -> Iterator[str]:
    """Figures of one measurement that cannot go together."""
    parity, quality, latency = target.parity, target.quality, target.latency
    if not isinstance(parity, Absent) and parity.worst_psnr_db > parity.mean_psnr_db + _ROUNDING_DB:
        yield "the worst parity is above the mean"
    if not isinstance(latency, Absent) and not _near(latency.p50_ms, latency.value().p50_ms):
        yield "p50_ms is not the median of its samples"
    if not isinstance(latency, Absent) and latency.noise != latency.value().noise:
        yield "noise is not what its samples and the machine's load say"
    for found in (target.residency, *(check.residency for check in target.cross_runtime)):
        if not isinstance(found, Absent):
            yield from _residency_problems(found)
    if isinstance(quality, Absent):
        return
    each = quality.psnr_each_db
    if len(each) != quality.images or not _near(quality.psnr_db, sum(each) / max(1, len(each))):
        yield "psnr_db is not the mean of its pictures"
    if quality.worst_gain_db > quality.gain_db + _ROUNDING_DB or quality.loss_db > quality.worst_loss_db + _ROUNDING_DB:
        yield "the worst picture is better than the mean"
    if not _near(quality.gain_db, quality.psnr_db - quality.input_psnr_db):
        yield "gain_db is not the difference of psnr_db and input_psnr_db"


def _residency_problems(found: Residency) -> Iterator[str]:
    left = found.operators - found.taken
    if left < 0:
        yield "an accelerator took more operators than there are"
    elif len(found.behind) > left or (found.accelerator == XNNPACK and len(found.behind) != left):
        yield "the operators that an accelerator left are not as many as are named"


def _near(one: float, other: float) -> bool:
    return isnan(one) or isnan(other) or isclose(one, other, rel_tol=1e-9, abs_tol=_ROUNDING_DB)


@dataclass(frozen=True, slots=True)
class _SourceFile(Artifact):
    """A shipped file with the size of the pipeline's, which is what promises about size were made of."""

    source_bytes: int = 0

    @property
    def size_bytes(self) -> int:
        return self.source_bytes


def _result(target: Target, model: Model, bundle: Path) -> TargetResult:
    shipped = model.artifact(bundle)
    fields = {name: getattr(shipped, name) for name in Artifact.__slots__}
    source_bytes = source_size_bytes(model, bundle) or model.size_bytes
    return TargetResult(
        name=target.name,
        runtime=target.runtime,
        artifact=_SourceFile(**fields, source_bytes=source_bytes),
        parity=target.parity.value(),
        quality=target.quality.value(),
        latency=target.latency.value(),
        audit=target.audit.value(),
        findings=tuple(Finding(**finding.fields) for finding in target.findings),
        seam=target.seam.value(),
        cross_runtime=tuple(check.value() for check in target.cross_runtime),
        residency=target.residency.value(),
        versions=tuple(check.value() for check in target.versions),
    )


def junit_problems(report: Report, bundle: Path) -> Iterator[str]:
    """Where junit.xml, which is what a CI reads, tells another story than report.json."""
    content = read_bounded(bundle, JUNIT)
    if b"<!" in content:  # no document of ours declares anything, and entities can grow without bound
        yield f"{JUNIT} is not as any exporter writes it"
        return
    try:
        cases = list(ElementTree.fromstring(content).iter("testcase"))
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        yield f"{JUNIT} is not XML: {error}"
        return
    stored = [_CASES[promise.status] for promise in report.promises]
    told = [next((e.tag for e in case if e.tag in ("failure", "error", "skipped")), None) for case in cases]
    if told != stored:
        yield f"{JUNIT} judges otherwise than {REPORT}"
