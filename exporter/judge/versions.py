"""LiteRT releases, judged: each gives the same picture, as nearly as the file's number format lets kernels round."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.artifact import Format, Precision
from exporter.judge.verdicts import Status, Verdict
from exporter.measure.results import VersionCheck
from exporter.not_measured import NotMeasured
from exporter.runtimes import RUNTIMES

PROMISE = "min_version_parity_db"  # made by `verify.versions`, of every .tflite
# Floats are computed in float32 by every release, in an order of its own; integer kernels round in other places.
TOLERANCE_DB: dict[Precision, float] = {"fp32": 100.0, "fp16": 100.0, "int16x8": 60.0, "int8": 40.0}


def tolerance_db(precision: Precision) -> float:
    """How near a release's picture has to be to that of the release that measured the file, PSNR as it is shown."""
    return TOLERANCE_DB[precision]


def versions_due(runtime: str, versions: Iterable[str]) -> tuple[str, ...]:
    """The releases that a target has to be the same on: none, when what its runtime takes is no .tflite."""
    takes = {known.name: known.takes for known in RUNTIMES}.get(runtime)
    return tuple(versions) if takes == Format.TFLITE else ()


def status_of(check: VersionCheck, limit_db: float) -> Status:
    """A release that cannot run the file has missed; one that is not here, or was lost, was not measured."""
    if isinstance(check.agreement, NotMeasured):
        return Status.MISSED if check.refused else Status.NOT_MEASURED
    return Status.KEPT if check.agreement.worst_psnr_db >= limit_db else Status.MISSED


def judge_version(target: str, check: VersionCheck, limit_db: float, demand_all: bool) -> Verdict:
    """The verdict on one file and one release."""
    status = status_of(check, limit_db)
    value = float("nan") if check.refused else None
    if not isinstance(check.agreement, NotMeasured):
        value = check.agreement.worst_psnr_db
    demanded = check.installed or demand_all or status is not Status.NOT_MEASURED
    sentence = f"{target}: {_said(check, limit_db)}"
    return Verdict(target, PROMISE, check.runtime, limit_db, value, status, sentence, demanded)


def untried(target: str, runtime: str, limit_db: float, why: str) -> Verdict:
    """The verdict where nobody ran the file."""
    sentence = f"{target}: output on {runtime} was not measured: {why}"
    return Verdict(target, PROMISE, runtime, limit_db, None, Status.NOT_MEASURED, sentence)


def _said(check: VersionCheck, limit_db: float) -> str:
    found = check.agreement
    if isinstance(found, NotMeasured):
        if check.refused:
            return f"{check.title} ({check.runtime}) cannot run the file: {found.reason}"
        return f"output on {check.runtime} was not measured: {found.reason}"
    value = "code" if found.unit == "steps" else "value"
    if found.equal:
        return f"on {check.title} ({check.runtime}) every output {value} equals {check.against}'s"
    return (
        f"on {check.title} ({check.runtime}) {found.differing} of {found.values} output {value}s differ from "
        f"{check.against}'s, by at most {found.largest} {found.unit}; the pictures are {found.worst_psnr_db:.1f} dB "
        f"apart, promised at least {limit_db:g} dB{f'; first at {found.first}' if found.first else ''}"
    )
