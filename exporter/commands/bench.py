"""`exporter bench MODEL …`: latency of bare model files on runtimes, on a drawn picture.

One file on one runtime gives its percentiles; several files, runtimes or numbers of threads give a table.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.commands import bench_farm, bench_phone
from exporter.commands.bench_subjects import files_of
from exporter.commands.engine import add_runtime, engine_for
from exporter.commands.words import add_arch, add_json, show, show_json, show_table
from exporter.figures import counted

if TYPE_CHECKING:
    from exporter.measure.latency import Call
    from exporter.measure.results import Timing

ALL = "all"
PHONE = "android_adb"
FARMS_ALONE = ("devices", "apk", "project")
PHONES_ALONE = ("serials", "min_accelerated_share", "out")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "models", type=Path, nargs="+", metavar="MODEL", help=".tflite, .onnx, a network file of ours, or a bundle"
    )
    add_runtime(parser, "; `all`: all that are installed")
    parser.add_argument("--threads", default="2", help="one number or several, such as 1,2,all; default 2")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--warmup", type=int, default=10)
    bench_phone.add_arguments(parser)
    bench_farm.add_arguments(parser)
    add_arch(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from exporter.errors import RecipeError
    from exporter.measure.advice import advise
    from exporter.measure.latency import time_calls, timing_of

    if args.min_accelerated_share is not None and not 0 <= args.min_accelerated_share <= 1:
        raise RecipeError(f"--min-accelerated-share {args.min_accelerated_share:g}: a share is 0 to 1")
    if args.out and any(
        model.is_dir() and args.out.absolute().is_relative_to(model.absolute()) for model in args.models
    ):
        raise RecipeError(f"--out {args.out} lies in the bundle, which holds what was sealed and nothing else")
    if args.farm:
        return bench_farm.run(args, _threads(args.threads))
    _refuse(args, FARMS_ALONE, "--farm")
    if args.runtime == PHONE:
        return bench_phone.run(args, _threads(args.threads))
    _refuse(args, PHONES_ALONE, f"--runtime {PHONE} or --farm")
    calls = _calls(files_of(args.models), args.runtime, _threads(args.threads), args.arch)
    if len(calls) == 1:
        return _single(args, calls[0])
    timings = [
        timing_of(call, latency, call.artifact.path.name)
        for call, latency in zip(calls, time_calls(calls, args.runs, args.warmup), strict=True)
    ]
    advice = advise(timings, {})
    if args.json:
        show_json({"timings": [_figures(timing) for timing in timings], "advice": advice})
        return 0
    counts = list(dict.fromkeys(timing.threads for timing in timings))
    headings = ("runtime", "file", "precision", *(counted(count, "thread") for count in counts))
    title = f"median ms of {args.runs} calls after {args.warmup} to warm up, all in turns"
    show_table(title, headings, _rows(timings, counts))
    for reason in dict.fromkeys(reason for timing in timings for reason in _noise(timing)):
        show(f"  noisy: {reason}")
    for sentence in advice:
        show(f"  {sentence}")
    return 0


def _refuse(args: argparse.Namespace, names: tuple[str, ...], needs: str) -> None:
    """Raises RecipeError for an option that would say nothing here."""
    from exporter.errors import RecipeError

    for name in names:
        if getattr(args, name) is not None:
            raise RecipeError(f"--{name.replace('_', '-')} is for phones: it needs {needs}")


def _single(args: argparse.Namespace, call: Call) -> int:
    from exporter.errors import EngineError
    from exporter.measure.latency import time_calls
    from exporter.not_measured import NotMeasured

    (latency,) = time_calls([call], args.runs, args.warmup)
    if isinstance(latency, NotMeasured):
        raise EngineError(latency.reason)
    path = call.artifact.path
    if args.json:
        show_json({"model": str(path), "runtime": call.runtime.name, **asdict(latency), **latency.derived})
        return 0
    median = "{:.2f} ms ({:.2f} to {:.2f})".format(latency.p50_ms, *latency.p50_ci95_ms)
    show(f"{path} on {latency.device}, {len(latency.samples_ms)} calls after {args.warmup} to warm up")
    show(f"  p50 {median} · p90 {latency.p90_ms:.2f} ms · p99 {latency.p99_ms:.2f} ms")
    for reason in latency.noise:
        show(f"  noisy: {reason}")
    return 0


def _calls(models: list[Path], name: str | None, threads: list[int], arch: str | None) -> list[Call]:
    from exporter.data.view import drawn
    from exporter.errors import MissingTool
    from exporter.inspect.model_file import artifact_of_file
    from exporter.measure.latency import Call, table_jobs
    from exporter.runtimes import runtime
    from exporter.runtimes.base import untimed

    if name and name != ALL and (why := untimed(runtime(name))):
        raise MissingTool(f"{name} is not timed: {why}")
    artifacts = [artifact_of_file(model, arch=arch) for model in models]
    jobs = table_jobs(artifacts, threads)
    if name != ALL:
        jobs = [(engine_for(artifact, name), artifact, count) for artifact in artifacts for count in threads]
    return [Call(engine, artifact, count, drawn(artifact.input)) for engine, artifact, count in jobs]


def _threads(text: str) -> list[int]:
    """`1,2,all` as numbers, each once. Raises RecipeError for anything else."""
    from exporter.errors import RecipeError
    from exporter.runtimes.cpu import available_cores

    counts = [available_cores() if word.strip() == ALL else word.strip() for word in text.split(",")]
    if not all(str(count).isdigit() and int(count) > 0 for count in counts):
        raise RecipeError(f"--threads {text}: numbers from 1 and `all`, with commas between, such as 1,2,all")
    return list(dict.fromkeys(int(count) for count in counts))


def _figures(timing: Timing) -> dict[str, Any]:
    from exporter.not_measured import NotMeasured

    latency = timing.latency
    if isinstance(latency, NotMeasured):
        return asdict(timing)
    return asdict(timing) | latency.derived


def _rows(timings: list[Timing], counts: list[int]) -> list[tuple[str, ...]]:
    cells = {(t.runtime, t.file, t.threads): t for t in timings}
    rows = sorted(dict.fromkeys((t.runtime, t.file, t.precision) for t in timings))
    return [(*row, *(_cell(cells.get((*row[:2], count))) for count in counts)) for row in rows]


def _cell(timing: Timing | None) -> str:
    from exporter.not_measured import NotMeasured

    if timing is None:
        return ""
    if isinstance(timing.latency, NotMeasured):
        return "not measured"
    return f"{timing.latency.p50_ms:.2f}{' noisy' * bool(timing.latency.noise)}"


def _noise(timing: Timing) -> tuple[str, ...]:
    from exporter.not_measured import NotMeasured

    return () if isinstance(timing.latency, NotMeasured) else timing.latency.noise
