"""The figures of two reports that can be compared: where each stands, how much worse it may be, and when it may not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from exporter.bundle.report_file import Absent, Audit, Latency, Report, Residency, Target

_TRANSPOSES = ("TRANSPOSE", "Transpose")


@dataclass(frozen=True, slots=True)
class Tolerances:
    """How much worse a figure may be before it is a regression."""

    parity_db: float = 3.0  # parity and seams: the squared error doubles
    quality_db: float = 0.1  # PSNR, gain and losses: more can be seen in a flicker test
    ssim: float = 0.005
    latency_percent: float = 25.0  # what two runs on one machine differ, and some
    size_percent: float = 5.0


WhyNot = Callable[[Target, Target, Report, Report], str]


@dataclass(frozen=True, slots=True)
class Figure:
    """`value`: None when it was not measured. `tolerance` is in the figure's unit, or in per cent of OLD's."""

    value: Callable[[Target], float | None]
    tolerance: Callable[[Tolerances], float]
    why_not: WhyNot  # why two may not be compared; empty: they may
    relative: bool = False


def other_pictures(old: Target, new: Target, before: Report, after: Report) -> str:
    """Why what was seen on the evaluation images is not comparable."""
    if None in (before.evaluation_sha256, after.evaluation_sha256):
        return "a report does not name its evaluation set"
    if before.evaluation_sha256 != after.evaluation_sha256:
        return "other evaluation set"
    return _other_input(old, new, before, after)


def _other_machine(old: Target, new: Target, before: Report, after: Report) -> str:
    """Why times are not comparable. An engine's version may differ: that it became slower is what one wants to know."""
    if None in before.machine:
        return "a report does not name its machine"
    if before.machine != after.machine:
        return "other machine"
    devices = {on_device(t.latency) for t in (old, new) if isinstance(t.latency, Latency)}
    if len(devices) > 1:
        return "other device or number of threads"
    for side, latency in (("OLD", old.latency), ("NEW", new.latency)):
        if isinstance(latency, Latency) and latency.noise and old.latency != new.latency:
            return f"{side} was timed on a noisy machine"
    return _other_input(old, new, before, after)


def _other_input(old: Target, new: Target, *_: Report) -> str:
    return "other input size" if old.model.input.get("shape") != new.model.input.get("shape") else ""


def _always(*_: object) -> str:
    return ""


def on_device(latency: Latency) -> tuple[str, int]:
    """`LiteRT 2.1.0 XNNPACK, 2 threads, AMD EPYC` without the engine, whose version may differ; and the threads."""
    return latency.device.partition(", ")[2] or latency.device, latency.threads


def _of(part: str, field: str) -> Callable[[Target], float | None]:
    def value(target: Target) -> float | None:
        found = getattr(target, part)
        return None if isinstance(found, Absent) else float(getattr(found, field))

    return value


def _errors(target: Target) -> float | None:
    if isinstance(target.audit, Absent) or isinstance(target.parity, Absent):
        return None
    return float(sum(finding.severity == "error" for finding in target.findings))


def _transposes(target: Target) -> float | None:
    return float(sum(op.kind in _TRANSPOSES for op in target.audit.ops)) if isinstance(target.audit, Audit) else None


def _resident(figure: Callable[[Residency], float]) -> Figure:
    def value(target: Target) -> float | None:
        return None if isinstance(target.residency, Absent) else float(figure(target.residency))

    return Figure(value, _nothing, _always)


def _nothing(_: Tolerances) -> float:
    return 0.0


def _quality(field: str) -> Figure:
    return Figure(_of("quality", field), lambda allowed: allowed.quality_db, other_pictures)


# By the promise that limits it: what a budget can promise is what is compared.
FIGURES = {
    "min_parity_db": Figure(_of("parity", "worst_psnr_db"), lambda allowed: allowed.parity_db, other_pictures),
    "max_loss_db": _quality("loss_db"),
    "max_worst_loss_db": _quality("worst_loss_db"),
    "min_gain_db": _quality("gain_db"),
    "min_psnr_db": _quality("psnr_db"),
    "min_ssim": Figure(_of("quality", "ssim"), lambda allowed: allowed.ssim, other_pictures),
    "min_seam_db": Figure(_of("seam", "psnr_db"), lambda allowed: allowed.parity_db, other_pictures),
    "max_latency_ms": Figure(_of("latency", "p50_ms"), lambda allowed: allowed.latency_percent, _other_machine, True),
    "max_size_mb": Figure(lambda t: t.model.size_bytes / 1e6, lambda allowed: allowed.size_percent, _always, True),
    "min_int8_mac_share": Figure(_of("audit", "int8_mac_share"), _nothing, _always),
    "min_int16_mac_share": Figure(_of("audit", "int16_mac_share"), _nothing, _always),
    "max_float_islands": Figure(_of("audit", "float_islands"), _nothing, _always),
    "max_transposes": Figure(_transposes, _nothing, _always),
    "max_rank": Figure(_of("audit", "max_rank"), _nothing, _always),
    "min_accelerated_share": _resident(lambda found: found.value().share),
    "forbid_fallback": _resident(lambda found: found.operators - found.taken),
    "forbid_errors": Figure(_errors, _nothing, _always),
}
