"""One line of `exporter bench` on phones and in farms: its figures for a program, and whether it is what was asked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from exporter.figures import counted

if TYPE_CHECKING:
    from exporter.android.device import Phone
    from exporter.android.official import OfficialRun
    from exporter.android.runs import DeviceRun
    from exporter.commands.bench_subjects import Subject
    from exporter.farms.base import ProfiledRun
    from exporter.inspect.results import Residency

TIMES = (
    "init_ms",
    "first_run_ms",
    "mean_ms",
    "p50_ms",
    "p90_ms",
    "p95_ms",
    "p99_ms",
    "samples_ms",
    "sustained_ms",
    "p50_ci95_ms",
    "noise",
)
PARTS = 10  # of the timed calls, each an observation of the median: calls one after the other are not independent
_NOTHING: dict[str, Any] = dict.fromkeys(
    (*TIMES, "how", "engine", "accelerated", "took", "accelerated_share", "memory_mb", "thermal", "golden")
)


@dataclass(frozen=True, slots=True)
class Row:
    """One file on one backend: what was measured, or why it was not. `parity`: a failed comparison, in words.

    `phone`: its serial, or its name in a farm. `missed`: a promise that was not kept, in words.
    """

    phone: str
    subject: Subject
    backend: str
    threads: int
    run: DeviceRun | ProfiledRun | None = None
    official: OfficialRun | None = None
    reason: str = ""
    parity: str = ""
    missed: str = ""
    residency: Residency | None = None

    @property
    def name(self) -> str:
        return f"{self.subject.name} on {self.backend}, {counted(self.threads, 'thread')}, {self.phone}"


def of_device_run(phone: str, subject: Subject, backend: str, threads: int, run: DeviceRun, least: float | None) -> Row:
    """The row of a run on a phone; `least`: the share of operators that an accelerator must have taken."""
    whole = run.result.accelerated and run.log.whole is not False
    reason = fell_back(whole, run.log.verdict) or _suspect(subject, run) or emulated(run.phone)
    found = run.result.golden
    parity, residency = judged(subject, found.psnr_db, found.max_abs), residency_of(subject, run)
    missed, unknown = _short_of(least, residency, backend)
    return Row(phone, subject, backend, threads, run, None, reason or unknown, parity, missed, residency)


def of_profiled_run(phone: str, subject: Subject, run: ProfiledRun, least: float | None) -> Row:
    """The row of a run in a farm that has a profiler of its own."""
    residency = residency_of_layers(run)
    nothing = run.backend != "cpu" and residency is not None and residency.taken == 0
    reason = f"none of its {len(run.layers)} layers ran on the {run.backend.upper()}" if nothing else ""
    psnr_db, max_abs = distance_of(subject, run)
    missed, unknown = _short_of(least, residency, run.backend)
    parity = judged(subject, psnr_db, max_abs)
    return Row(phone, subject, run.backend, run.threads, run, None, reason or unknown, parity, missed, residency)


def fell_back(whole: bool, took: str) -> str:
    """`took`: how much of the model the backend took, in words, as far as it tells."""
    if whole:
        return ""
    fell = "the backend does not take the whole model: it fell back to the CPU"
    return f"{fell}; it took {took}" if took else fell


def emulated(phone: Phone) -> str:
    from exporter.runtimes.android_adb import EMULATED

    return EMULATED if phone.emulated else ""


def _suspect(subject: Subject, run: DeviceRun) -> str:
    """Why the backend probably did not run: no GPU or NPU rounds as this machine's CPU does."""
    if run.result.backend == "cpu" or run.result.golden.max_abs:
        return ""
    return f"its picture is that of {subject.made_by} to the last bit: {run.result.backend} probably did not run"


def judged(subject: Subject, psnr_db: float, max_abs: float) -> str:
    """What is wrong with the phone's picture; empty when it is near enough for another engine. NaN is not."""
    allowed = subject.allowed
    if psnr_db >= allowed.min_psnr_db and max_abs <= allowed.max_abs:
        return ""
    return (
        f"{psnr_db:.1f} dB, max |Δ| {max_abs:.2g} from {subject.made_by}; "
        f"allowed {allowed.min_psnr_db:g} dB, {allowed.max_abs:.2g}"
    )


def residency_of(subject: Subject, run: DeviceRun) -> Residency | None:
    """What the accelerator took, as far as the app and the phone's log tell; None on the CPU and where they do not."""
    from exporter.graph.read import read_graph
    from exporter.inspect.results import Behind, Residency

    backend, log = run.result.backend, run.log
    if backend == "cpu":
        return None
    if log.taken is not None and log.operators:
        behind = tuple(Behind(kind, "", "", why or "no reason given") for kind, why in log.refused.items())
        return Residency(backend, backend, log.operators, log.taken, behind)
    if not run.result.accelerated or log.whole is False:
        return None
    operators = len(read_graph(subject.artifact.path, subject.artifact.signature).nodes)
    return Residency(backend, backend, operators, operators)


def residency_of_layers(run: ProfiledRun) -> Residency | None:
    """What the compute unit that was asked for took, by the farm's profile; None where that lists no layer."""
    from exporter.graph.module_path import module_path
    from exporter.inspect.results import Behind, Residency

    if not run.layers:
        return None
    unit = run.backend.upper()
    left = [layer for layer in run.layers if layer.unit != unit]
    behind = tuple(Behind(one.kind, one.name, module_path(one.name), f"it ran on the {one.unit}") for one in left)
    ran = "+".join(sorted({layer.unit for layer in run.layers}))
    return Residency(unit, ran, len(run.layers), len(run.layers) - len(left), behind)


def _short_of(least: float | None, residency: Residency | None, backend: str) -> tuple[str, str]:
    """(a missed `--min-accelerated-share`, or why it could not be told); the CPU accelerates nothing."""
    if least is None or backend == "cpu":
        return "", ""
    if residency is None:
        return "", "how many operators the accelerator took is not told, which min_accelerated_share asks"
    if residency.share >= least:
        return "", ""
    return f"min_accelerated_share: {residency.share:.3f} of its operators, promised {least:g}: {residency.verdict}", ""


def distance_of(subject: Subject, run: ProfiledRun) -> tuple[float, float]:
    """PSNR in dB and largest difference, of the worst golden pair, as pictures are shown; NaN for other shapes."""
    from exporter.bundle.golden import real
    from exporter.bundle.golden_runs import distance

    spec, found = subject.artifact.output, []
    for (_, expected), made in zip(subject.golden, run.outputs, strict=True):
        if made.shape != expected.shape or made.dtype != expected.dtype:
            return float("nan"), float("nan")
        found.append(distance(real(made, spec), real(expected, spec)))
    return min(psnr_db for psnr_db, _ in found), max(max_abs for _, max_abs in found)


def figures_of(row: Row) -> dict[str, Any]:
    """The row for a program. What was not measured is null; that holds for the times of an emulated phone."""
    from exporter.android.runs import DeviceRun

    if isinstance(row.run, DeviceRun):
        figures = _of_run(row.run)
    elif row.run is not None:
        figures = _of_profile(row.subject, row.run)
    else:
        figures = _of_official(row.official) if row.official else _NOTHING
    if row.residency is not None:
        said = figures["took"] or row.residency.verdict  # the phone's log says more of itself
        figures = figures | {"took": said, "accelerated_share": row.residency.share}
    if row.reason:
        figures = figures | dict.fromkeys(TIMES)
    asked: dict[str, Any] = {"phone": row.phone, "file": row.subject.name, "sha256": row.subject.artifact.sha256}
    asked |= {"backend": row.backend, "threads": row.threads}
    verdict = {"not_measured": row.reason or None, "parity_failed": row.parity or None, "missed": row.missed or None}
    return asked | figures | verdict


def _times(device: str, threads: int, samples_ms: tuple[float, ...]) -> dict[str, Any]:
    import numpy as np

    from exporter.measure.results import Latency

    latency = Latency(device, threads, samples_ms, turns=PARTS if len(samples_ms) >= 2 * PARTS else 1)
    return latency.derived | {"p95_ms": float(np.percentile(samples_ms, 95)), "samples_ms": samples_ms}


def _of_run(run: DeviceRun) -> dict[str, Any]:
    result, hot = run.result, run.throttled()
    times = _times(run.device, result.threads, tuple(result.samples_ms))
    return _NOTHING | {
        "how": run.how,
        "engine": result.engine,
        "accelerated": result.accelerated,
        "took": run.log.verdict,
        "init_ms": result.init_ms,
        "first_run_ms": result.first_run_ms,
        **times,
        "noise": [*times["noise"], *([f"throttling {hot}"] if hot else [])],
        "throttled": hot or None,
        "sustained_ms": run.sustained_ms(),
        "memory_mb": result.memory_kb / 1024,
        "thermal": [moment.model_dump() for moment in result.thermal],
        "golden": result.golden.model_dump(),
        "before": asdict(run.before),
        "after": asdict(run.after),
    }


def _of_profile(subject: Subject, run: ProfiledRun) -> dict[str, Any]:
    psnr_db, max_abs = distance_of(subject, run)
    return _NOTHING | {
        "how": "farm",
        "engine": run.engine,
        "job": run.job,
        "init_ms": run.init_ms,
        "first_run_ms": run.first_run_ms,
        **_times(str(run.device), run.threads, run.samples_ms),
        "memory_mb": None if run.memory_kb is None else run.memory_kb / 1024,
        "golden": {"vectors": len(run.outputs), "max_abs": max_abs, "psnr_db": psnr_db},
        "layers": [asdict(layer) for layer in run.layers],
    }


def _of_official(run: OfficialRun) -> dict[str, Any]:
    times = asdict(run.times)
    shared = {"how": "benchmark_model", "engine": "benchmark_model", "before": asdict(run.before)}
    return _NOTHING | shared | times | {"after": asdict(run.after)}


def exit_code(rows: list[Row], *, not_measured: bool = False) -> int:
    """1 a picture is another or a promise was missed · 3 something was not measured · 0."""
    if any(row.parity or row.missed for row in rows):
        return 1
    return 3 if not_measured or any(row.reason for row in rows) else 0
