"""index.html: one self-contained page; what it says is decided here, how it looks in page.html/.css/.js."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from exporter.figures import counted, fixed
from exporter.files.plain_json import plain
from exporter.inspect.results import Audit, Finding, Residency
from exporter.judge.outcome import Outcome
from exporter.judge.verdicts import Status, Tally, Verdict, tally
from exporter.measure.advice import advise_targets
from exporter.measure.latency import noise_remarks
from exporter.measure.results import Latency, Parity, Quality, TargetResult, Timing
from exporter.not_measured import NotMeasured
from exporter.report.charts import change_chart, cost_chart, histogram, latency_chart, quality_chart
from exporter.report.drawings import Drawings
from exporter.report.layers import layers_of_files
from exporter.report.opening import shipped
from exporter.report.pictures import BEFORE, CROP_PX, ERROR_GAIN, error_crops, int8_and_float, photos
from exporter.report.precision import FACTS as PRECISION
from exporter.report.precision import SHOWN_LAYERS, searches
from exporter.report.stages import Step, names, steps
from exporter.report.templates import templates_of
from exporter.report.tuning import FACTS as TUNING
from exporter.report.tuning import tunings
from exporter.report.versions import version_matrix


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target with the promises made about it."""

    target: TargetResult
    promises: tuple[Verdict, ...]

    @property
    def tally(self) -> Tally:
        return tally(self.promises)

    @property
    def kept(self) -> tuple[Verdict, ...]:
        return tuple(v for v in self.promises if v.status is Status.KEPT)

    @property
    def excused(self) -> tuple[Verdict, ...]:
        return tuple(v for v in self.promises if v.status is Status.NOT_MEASURED and not v.demanded)

    @property
    def open(self) -> tuple[Verdict, ...]:
        """What is neither: missed, or not measured although it had to be."""
        return tuple(v for v in self.promises if v not in (*self.kept, *self.excused))


@dataclass(frozen=True, slots=True)
class OpRow:
    """All operators of one kind and number format in one file."""

    kind: str
    dtype: str
    count: int
    macs: int
    share: float  # of the file's MACs, 0..1


def page(outcome: Outcome, kept: Path | None = None) -> str:
    """The whole page as text. It loads nothing: styles, script, charts and photographs are inside.

    Charts and photographs that an earlier page showed are taken from the file `kept`.
    """
    from markupsafe import Markup

    environment = templates_of("exporter.report")
    environment.filters |= {"db": _db, "kilobytes": _kilobytes, "count": _count, "yaml": _yaml}
    environment.filters["figures"] = lambda value: f"{value:.3g}".replace("-", "\u2212")
    environment.filters["without"] = str.removeprefix
    environment.globals |= {"counted": counted, "report_style": Markup(_text("report.css"))}
    environment.tests["unmeasured"] = lambda value: isinstance(value, NotMeasured)
    drawings = Drawings(kept)
    text = environment.get_template("page.html").render(_context(outcome, drawings))
    drawings.keep()
    return text


def _context(outcome: Outcome, drawings: Drawings) -> dict[str, Any]:
    from markupsafe import Markup

    from exporter.data.yardstick import Yardstick

    called = names(outcome.stages)
    compared = steps(outcome.stages)
    timed = [(t.name, t.latency) for t in outcome.targets if isinstance(t.latency, Latency)]
    cross_runtime = [(target.name, check) for target in outcome.targets for check in target.cross_runtime]
    residencies = [row for target in outcome.targets for row in _residencies(target)]
    layered = layers_of_files(outcome.targets, drawings)
    shown_photos = photos(outcome, called, drawings)
    headline, yardstick = outcome.tally.headline, Yardstick(outcome.enlarges)
    return {
        "script": Markup(_text("page.js")),  # ours
        "outcome": outcome,
        "tally": outcome.tally,
        "missed": [v for v in outcome.verdicts if v.status is Status.MISSED],
        "unmeasured": [v for v in outcome.verdicts if v.status is Status.NOT_MEASURED and v.demanded],
        "excused": [v for v in outcome.verdicts if v.status is Status.NOT_MEASURED and not v.demanded],
        "headline": headline[:1].upper() + headline[1:],
        "ship": shipped(outcome),
        "rows": _rows(outcome),
        "protocols": yardstick.protocols,
        "baseline": yardstick.baseline_word,
        "steps": compared,
        "photo_counts": [stage.quality.images for stage in outcome.stages if isinstance(stage.quality, Quality)],
        "lesson": _lesson(compared, outcome),
        "quality_chart": Markup(drawings.chart(quality_chart, compared)),
        "change_chart": Markup(drawings.chart(change_chart, compared)),
        "cost_chart": Markup(drawings.chart(cost_chart, compared)),
        "latency_chart": Markup(drawings.chart(latency_chart, timed) if timed else ""),
        "timed": timed,
        "latency_note": _measured(len(timed), len(outcome.targets)),
        "noise": noise_remarks(outcome.targets),
        "advice": advise_targets(outcome.targets, outcome.timings),
        "timing_counts": list(dict.fromkeys(timing.threads for timing in outcome.timings)),
        "timing_rows": _timing_rows(outcome.timings),
        "untimed": [(t.name, t.latency.reason) for t in outcome.targets if isinstance(t.latency, NotMeasured)],
        "cross_runtime": cross_runtime,
        "cross_note": _measured(sum(isinstance(c.parity, Parity) for _, c in cross_runtime), len(cross_runtime)),
        "residencies": residencies,
        "residency_note": _measured(sum(isinstance(found, Residency) for *_, found in residencies), len(residencies)),
        "npus": [(target.name, verdict) for target in outcome.targets for verdict in target.npu],
        "versions": version_matrix(outcome.targets),
        "photos": shown_photos,
        "first_pair": _first_pair(outcome, [shot.stage for photo in shown_photos for shot in photo.shots]),
        "crops": error_crops(outcome, called, drawings),
        "crop_px": CROP_PX,
        "error_gain": ERROR_GAIN,
        "layered": layered,
        "layers_note": layered[0].found.diagnosis if layered else "not compared",
        "audits": _audits(outcome.targets),
        "brightness_chart": Markup(
            drawings.chart(histogram, outcome.coverage.brightness, "mean brightness (linear luma)")
        ),
        "sharpness_chart": Markup(
            drawings.chart(histogram, outcome.coverage.sharpness, "sharpness (variance of the Laplacian)", log=True)
        ),
        "findings": _findings(outcome.targets),
        "provenance": plain(outcome.provenance),
        "searches": searches(outcome.notes, drawings),
        "shown_layers": SHOWN_LAYERS,
        "tunings": tunings(outcome.notes),
        "notes": plain(_other_notes(outcome.notes)),
        "recipe": plain(outcome.recipe),
        "longest_seconds": max(outcome.stage_seconds.values(), default=0) or 1,
    }


def _text(name: str) -> str:
    return files("exporter.report").joinpath(name).read_text(encoding="utf-8")


def _measured(measured: int, total: int) -> str:
    """Stands beside a folded section: what was not measured is said without opening it."""
    return f"{total - measured} of {total} not measured" if measured < total else f"{total} measured"


def _other_notes(notes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """`notes` without what has a section of its own."""
    apart = (PRECISION, TUNING)
    return {stage: {key: value for key, value in noted.items() if key not in apart} for stage, noted in notes.items()}


def _rows(outcome: Outcome) -> list[TargetRow]:
    return [
        TargetRow(target, tuple(v for v in outcome.verdicts if v.target == target.name)) for target in outcome.targets
    ]


def _lesson(compared: tuple[Step, ...], outcome: Outcome) -> str:
    """All stages in a sentence or two: what was not measured, what the whole way cost, which step cost most."""
    measured = [(step, step.stage.quality) for step in compared if isinstance(step.stage.quality, Quality)]
    if not measured:
        return "No stage was measured."
    absent = [step.label for step in compared if isinstance(step.stage.quality, NotMeasured)]
    pair = int8_and_float(outcome.stages)
    first, last = measured[0], next((one for one in measured if pair and one[0].stage.name == pair[0]), measured[-1])
    whole = _db(last[1].psnr_db - first[1].psnr_db, sign=True)
    sentence = f"{len(absent)} of {len(compared)} stages not measured: {', '.join(absent)}. " if absent else ""
    sentence += f"From {first[0].label} to {last[0].label} the mean changes by {whole} dB; "
    falls = [step for step in _way_to(last[0], compared) if step.change_db is not None and step.change_db < -0.005]
    if not falls:
        return sentence + f"no step on the way {'that was measured ' if absent else ''}lost anything."
    worst = min(falls, key=lambda step: step.change_db or 0.0)
    return sentence + (
        f"the largest single loss is {worst.parent} → {worst.label} with {_db(worst.change_db, sign=True)} dB."
    )


def _way_to(step: Step, compared: tuple[Step, ...]) -> Iterator[Step]:
    """`step`, what it was made from, and so on."""
    known = {each.label: each for each in compared}
    while step.parent is not None and step.parent in known:
        yield step
        step = known.pop(step.parent)


def _first_pair(outcome: Outcome, stages: list[str]) -> tuple[str, str]:
    """What the slider shows first: the photo as it comes in against what the phone makes of it."""
    pair = int8_and_float(outcome.stages)
    left = next((stage for stage in (*BEFORE, *stages) if stage in stages), "")
    right = pair[0] if pair and pair[0] in stages else (stages[-1] if stages else "")
    return left, right


def _timing_rows(timings: Iterable[Timing]) -> list[tuple[str, str, str, dict[int, Latency | NotMeasured]]]:
    """(runtime, file, precision, threads -> latency), a runtime's files together."""
    rows: dict[tuple[str, str, str], dict[int, Latency | NotMeasured]] = defaultdict(dict)
    for timing in timings:
        rows[timing.runtime, timing.file, timing.precision][timing.threads] = timing.latency
    return [(*key, rows[key]) for key in sorted(rows)]


def _residencies(target: TargetResult) -> Iterator[tuple[str, str, Residency | NotMeasured]]:
    """(target, runtime, what its accelerator took), the target's own runtime first."""
    yield target.name, target.runtime, target.residency
    for check in target.cross_runtime:
        yield target.name, check.runtime, check.residency


def _audits(targets: Iterable[TargetResult]) -> list[tuple[str, Audit, list[OpRow]]]:
    """One entry per distinct file: (the targets that use it, its audit, its operators by kind)."""
    users: dict[str, list[str]] = defaultdict(list)
    audits: dict[str, Audit] = {}
    for target in targets:
        if isinstance(target.audit, Audit):
            users[target.artifact.sha256].append(target.name)
            audits.setdefault(target.artifact.sha256, target.audit)
    return [(", ".join(users[sha256]), audit, _op_rows(audit)) for sha256, audit in audits.items()]


def _op_rows(audit: Audit) -> list[OpRow]:
    counts: dict[tuple[str, str], int] = defaultdict(int)
    macs: dict[tuple[str, str], int] = defaultdict(int)
    for op in audit.ops:
        counts[op.kind, op.dtype] += 1
        macs[op.kind, op.dtype] += op.macs
    rows = [OpRow(*key, counts[key], macs[key], macs[key] / audit.macs if audit.macs else 0) for key in counts]
    return sorted(rows, key=lambda row: (-row.macs, -row.count, row.kind, row.dtype))


def _findings(targets: Iterable[TargetResult]) -> list[tuple[Finding, str]]:
    """Every distinct finding, the gravest first, with the targets it concerns."""
    users: dict[Finding, list[str]] = defaultdict(list)
    for target in targets:
        for finding in target.findings:
            users[finding].append(target.name)
    gravity = {"error": 0, "warning": 1, "note": 2}
    ordered = sorted(users, key=lambda finding: gravity.get(finding.severity, 3))
    return [(finding, ", ".join(users[finding])) for finding in ordered]


def _db(value: float | None, digits: int = 2, sign: bool = False) -> str:
    if value is None:
        return "–"
    return fixed(value, digits, sign=sign).replace("-", "\u2212").replace("inf", "∞")


def _kilobytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.2f} MB" if size_bytes >= 1_000_000 else f"{size_bytes / 1e3:.0f} kB"


def _count(value: float | None) -> str:
    if value is None:
        return "–"
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g} {unit}"
    return f"{value:.0f}"


def _yaml(value: object) -> str:
    """As a recipe is written."""
    import yaml

    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100))
