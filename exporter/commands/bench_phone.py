"""`exporter bench MODEL … --runtime android_adb`: on a phone over adb, each run checked against this machine's picture.

In an app (`--app`, and always for GPU and NNAPI), under `adb shell`, or with the user's own benchmark_model.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.commands.words import show, show_json, show_table

if TYPE_CHECKING:
    from exporter.android.device import Phone
    from exporter.android.official import OfficialRun
    from exporter.android.protocol import Backend
    from exporter.android.runs import DeviceRun, Load, Pair
    from exporter.artifact import Artifact
    from exporter.runtimes.android_adb import AndroidAdb

REFERENCE = "litert_cpu"
COLUMNS = ("file", "backend", "threads", "init ms", "first ms", "p50 ms", "p90 ms", "p99 ms", "memory MB", "golden")
TIMES = ("init_ms", "first_run_ms", "mean_ms", "p50_ms", "p90_ms", "p95_ms", "p99_ms", "samples_ms", "sustained_ms")
_NOTHING: dict[str, Any] = dict.fromkeys(
    (*TIMES, "how", "engine", "accelerated", "took", "memory_mb", "thermal", "golden")
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("on a phone (--runtime android_adb)")
    group.add_argument("--serial", help="of the phone, as `adb devices` lists it; default: the only one")
    group.add_argument("--backend", default="cpu", help="cpu, gpu, nnapi or several with commas between; default cpu")
    group.add_argument("--app", action="store_true", help="on the CPU, too, in the app of android-demo/")
    group.add_argument("--seconds", type=int, default=0, help="go on for so long, to see the phone throttle")
    group.add_argument("--benchmark-model", type=Path, metavar="BINARY", help="your own android_arm64 benchmark_model")


@dataclass(frozen=True, slots=True)
class Row:
    """One file on one backend: what was measured, or why it was not. `parity`: a failed comparison, in words."""

    artifact: Artifact
    backend: str
    threads: int
    run: DeviceRun | None = None
    official: OfficialRun | None = None
    reason: str = ""
    parity: str = ""


def run(args: argparse.Namespace, threads: list[int]) -> int:
    """0 measured · 1 a phone's picture is another · 3 something was not measured."""
    from exporter.android.runs import require_comparable
    from exporter.errors import MissingTool
    from exporter.runtimes.android_adb import AndroidAdb

    runtime = AndroidAdb(args.serial)
    if why := runtime.missing():
        raise MissingTool(why)
    rows = [
        _row(args, runtime, artifact, backend, count)
        for artifact in _artifacts(args.models)
        for backend in _backends(args.backend)
        for count in threads
    ]
    _show(args, runtime, rows)
    require_comparable([row.run for row in rows if row.run])
    return 1 if any(row.parity for row in rows) else 3 if any(row.reason for row in rows) else 0


def _artifacts(models: list[Path]) -> list[Artifact]:
    from exporter.artifact import Format
    from exporter.errors import RecipeError
    from exporter.inspect.model_file import artifact_of_file

    artifacts = [artifact_of_file(model) for model in models]
    for artifact in artifacts:
        if artifact.format != Format.TFLITE:
            raise RecipeError(f"{artifact.path}: android_adb runs tflite, this file is {artifact.format}")
    return artifacts


def _backends(text: str) -> list[Backend]:
    from exporter.android.protocol import BACKENDS
    from exporter.errors import RecipeError

    asked = [word.strip() for word in text.split(",")]
    if unknown := [word for word in asked if word not in BACKENDS]:
        raise RecipeError(f"--backend {text}: no backend is named {unknown[0]!r}", hint=f"known: {', '.join(BACKENDS)}")
    return [known for known in BACKENDS if known in asked]


def _row(args: argparse.Namespace, runtime: AndroidAdb, artifact: Artifact, backend: Backend, threads: int) -> Row:
    from exporter.android.official import run_official
    from exporter.android.runs import Load
    from exporter.errors import EngineError

    load = Load(backend, threads, args.warmup, args.runs, args.seconds)
    try:
        if args.benchmark_model:
            times = run_official(runtime.connected, args.benchmark_model, artifact.path, load)
            whole = backend == "cpu" or times.times.accelerated
            reason = _fell_back(whole, times.times.took) or _emulated(times.phone)
            return Row(artifact, backend, threads, official=times, reason=reason)
        measured = _bench(args.app, runtime, artifact, load)
    except EngineError as error:
        return Row(artifact, backend, threads, reason=str(error))
    whole = measured.result.accelerated and measured.log.whole is not False
    reason = _fell_back(whole, measured.log.verdict) or _suspect(measured) or _emulated(measured.phone)
    return Row(
        artifact,
        backend,
        threads,
        measured,
        reason=reason,
        parity=_judged(measured, artifact),
    )


def _fell_back(whole: bool, took: str) -> str:
    """`took`: how much of the model the backend took, in words, as far as it tells."""
    if whole:
        return ""
    fell = "the backend does not take the whole model: it fell back to the CPU"
    return f"{fell}; it took {took}" if took else fell


def _emulated(phone: Phone) -> str:
    from exporter.runtimes.android_adb import EMULATED

    return EMULATED if phone.emulated else ""


def _suspect(run: DeviceRun) -> str:
    """Why the backend probably did not run: no GPU or NPU rounds as this machine's CPU does."""
    if run.result.backend == "cpu" or run.result.golden.max_abs:
        return ""
    return f"its picture is that of {REFERENCE} to the last bit: {run.result.backend} probably did not run"


def _bench(app: bool, runtime: AndroidAdb, artifact: Artifact, load: Load) -> DeviceRun:
    from exporter.android.runs import run_in_app, run_in_shell
    from exporter.runtimes.android_adb import require_arm64

    golden = [golden_pair(artifact)]
    if app or load.backend != "cpu":
        return run_in_app(runtime.connected, artifact.path, golden, load)
    require_arm64(runtime.phone)
    return run_in_shell(runtime.connected, runtime.runner, artifact.path, golden, load, launcher=runtime.launcher)


def golden_pair(artifact: Artifact) -> Pair:
    """A drawn picture and what LiteRT on this machine's CPU makes of it, as the file's raw tensors."""
    from exporter.bundle.golden import stored
    from exporter.data.view import drawn
    from exporter.errors import RecipeError
    from exporter.runtimes import runtime

    if artifact.input.clip > 1:
        raise RecipeError(
            f"{artifact.path.name} carries a state from frame to frame, which the phone's programs do not feed",
            hint="bench it on litert_cpu here; on a phone, feed its golden vectors as its bundle's README says",
        )
    image = drawn(artifact.input)
    with runtime(REFERENCE).open(artifact, 1) as session:
        return stored(image, artifact.input), stored(session.infer(image), artifact.output)


def _judged(run: DeviceRun, artifact: Artifact) -> str:
    """What is wrong with the phone's picture; empty when it is near enough for another engine."""
    from exporter.bundle.golden import tolerances

    allowed, found = tolerances(artifact.precision, REFERENCE, ())["other"], run.result.golden
    if found.psnr_db >= allowed.min_psnr_db and found.max_abs <= allowed.max_abs:
        return ""
    return (
        f"{found.psnr_db:.1f} dB, max |Δ| {found.max_abs:.2g} from {REFERENCE}; "
        f"allowed {allowed.min_psnr_db:g} dB, {allowed.max_abs:.2g}"
    )


def _show(args: argparse.Namespace, runtime: AndroidAdb, rows: list[Row]) -> None:
    if args.json:
        show_json({"phone": asdict(runtime.phone), "rows": [_figures(row) for row in rows]})
        return
    show(str(runtime.phone))
    show_table(f"{args.runs} calls or more after {args.warmup} to warm up", COLUMNS, map(_cells, rows))
    for row in rows:
        name = f"{row.artifact.path.name} on {row.backend}"
        if row.run and not row.reason:
            show(f"  {name}: {row.run.device}")
            if sustained := row.run.sustained_ms():
                show(f"  {name}: first minute {sustained[0]:.2f} ms, last minute {sustained[1]:.2f} ms")
        if row.run and (hot := row.run.throttled()):
            show(f"  {name}: throttling {hot}")
        if row.reason:
            show(f"  {name} was not timed: {row.reason}")
        if row.parity:
            show(f"  {name} gives another picture: {row.parity}")


def _cells(row: Row) -> tuple[str, ...]:
    figures = _figures(row)
    names = ("init_ms", "first_run_ms", "p50_ms", "p90_ms", "p99_ms")
    golden = figures["golden"] or {}
    return (
        row.artifact.path.name,
        row.backend,
        str(row.threads),
        *("–" if figures[name] is None else f"{figures[name]:.2f}" for name in names),
        "–" if figures["memory_mb"] is None else f"{figures['memory_mb']:.1f}",
        f"{golden['psnr_db']:.1f} dB" if golden else "–",
    )


def _figures(row: Row) -> dict[str, Any]:
    """The row for a program. What was not measured is null; that holds for the times of an emulated phone."""
    figures = _of_run(row.run) if row.run else _of_official(row.official) if row.official else _NOTHING
    if row.reason:
        figures = figures | dict.fromkeys(TIMES)
    asked = {"file": row.artifact.path.name, "backend": row.backend, "threads": row.threads}
    return asked | figures | {"not_measured": row.reason or None, "parity_failed": row.parity or None}


def _of_run(run: DeviceRun) -> dict[str, Any]:
    from exporter.measure.results import Latency

    result = run.result
    return {
        "how": run.how,
        "engine": result.engine,
        "accelerated": result.accelerated,
        "took": run.log.verdict,
        "init_ms": result.init_ms,
        "first_run_ms": result.first_run_ms,
        **Latency(run.device, result.threads, tuple(result.samples_ms)).percentiles_ms,
        "samples_ms": result.samples_ms,
        "sustained_ms": run.sustained_ms(),
        "memory_mb": result.memory_kb / 1024,
        "thermal": [moment.model_dump() for moment in result.thermal],
        "golden": result.golden.model_dump(),
        "before": asdict(run.before),
        "after": asdict(run.after),
    }


def _of_official(run: OfficialRun) -> dict[str, Any]:
    times = asdict(run.times)
    shared = {"how": "benchmark_model", "engine": "benchmark_model", "before": asdict(run.before)}
    return _NOTHING | shared | times | {"after": asdict(run.after)}
