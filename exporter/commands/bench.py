"""`exporter bench MODEL …`: latency of bare model files on runtimes, on a drawn picture.

One file on one runtime gives its percentiles; several files, runtimes or numbers of threads give a table.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.commands import bench_phone
from exporter.commands.engine import add_runtime, engine_for
from exporter.commands.words import add_arch, add_json, show, show_json, show_table
from exporter.figures import counted

if TYPE_CHECKING:
    from exporter.artifact import Artifact
    from exporter.measure.results import Timing
    from exporter.runtimes.base import Runtime

ALL = "all"
PHONE = "android_adb"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "models", type=Path, nargs="+", metavar="MODEL", help=".tflite, .onnx or a network file of ours"
    )
    add_runtime(parser, "; `all`: all that are installed")
    parser.add_argument("--threads", default="2", help="one number or several, such as 1,2,all; default 2")
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--warmup", type=int, default=10)
    bench_phone.add_arguments(parser)
    add_arch(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    from exporter.measure.advice import advise

    if args.runtime == PHONE:
        return bench_phone.run(args, _threads(args.threads))
    jobs = _jobs(args.models, args.runtime, _threads(args.threads), args.arch)
    if len(jobs) == 1:
        return _single(args, *jobs[0])
    timings = [_time(job, args) for job in jobs]
    advice = advise(timings, {})
    if args.json:
        show_json({"timings": [_figures(timing) for timing in timings], "advice": advice})
        return 0
    counts = list(dict.fromkeys(timing.threads for timing in timings))
    headings = ("runtime", "file", "precision", *(counted(count, "thread") for count in counts))
    show_table(f"median ms of {args.runs} calls after {args.warmup} to warm up", headings, _rows(timings, counts))
    for sentence in advice:
        show(f"  {sentence}")
    return 0


def _single(args: argparse.Namespace, engine: Runtime, artifact: Artifact, threads: int) -> int:
    from exporter.data.view import drawn
    from exporter.measure.latency import measure_latency

    image = drawn(artifact.input)
    latency = measure_latency(engine, artifact, image, threads, args.runs, args.warmup)
    if args.json:
        show_json({"model": str(artifact.path), "runtime": engine.name, **asdict(latency), **latency.percentiles_ms})
        return 0
    show(f"{artifact.path} on {latency.device}, {len(latency.samples_ms)} calls after {args.warmup} to warm up")
    show(f"  p50 {latency.p50_ms:.2f} ms · p90 {latency.p90_ms:.2f} ms · p99 {latency.p99_ms:.2f} ms")
    return 0


def _jobs(
    models: list[Path], name: str | None, threads: list[int], arch: str | None
) -> list[tuple[Runtime, Artifact, int]]:
    from exporter.errors import MissingTool
    from exporter.inspect.model_file import artifact_of_file
    from exporter.measure.latency import table_jobs
    from exporter.runtimes import runtime
    from exporter.runtimes.base import untimed

    if name and name != ALL and (why := untimed(runtime(name))):
        raise MissingTool(f"{name} is not timed: {why}")
    artifacts = [artifact_of_file(model, arch=arch) for model in models]
    if name == ALL:
        return table_jobs(artifacts, threads)
    return [(engine_for(artifact, name), artifact, count) for artifact in artifacts for count in threads]


def _threads(text: str) -> list[int]:
    """`1,2,all` as numbers, each once. Raises RecipeError for anything else."""
    from exporter.errors import RecipeError
    from exporter.runtimes.cpu import available_cores

    counts = [available_cores() if word.strip() == ALL else word.strip() for word in text.split(",")]
    if not all(str(count).isdigit() and int(count) > 0 for count in counts):
        raise RecipeError(f"--threads {text}: numbers from 1 and `all`, with commas between, such as 1,2,all")
    return list(dict.fromkeys(int(count) for count in counts))


def _time(job: tuple[Runtime, Artifact, int], args: argparse.Namespace) -> Timing:
    from exporter.data.view import drawn
    from exporter.measure.latency import time_one

    _, artifact, _ = job
    return time_one(*job, drawn(artifact.input), args.runs, args.warmup)


def _figures(timing: Timing) -> dict[str, Any]:
    from exporter.not_measured import NotMeasured

    latency = timing.latency
    if isinstance(latency, NotMeasured):
        return asdict(timing)
    return asdict(timing) | latency.percentiles_ms


def _rows(timings: list[Timing], counts: list[int]) -> list[tuple[str, ...]]:
    cells = {(t.runtime, t.file, t.threads): t for t in timings}
    rows = sorted(dict.fromkeys((t.runtime, t.file, t.precision) for t in timings))
    return [(*row, *(_cell(cells.get((*row[:2], count))) for count in counts)) for row in rows]


def _cell(timing: Timing | None) -> str:
    from exporter.not_measured import NotMeasured

    if timing is None:
        return ""
    return "not measured" if isinstance(timing.latency, NotMeasured) else f"{timing.latency.p50_ms:.2f}"
