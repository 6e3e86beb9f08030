"""`exporter bench MODEL … --runtime android_adb`: on phones over adb, each run checked against this machine's picture.

In an app (`--app`, and always for GPU and NNAPI), under `adb shell`, or with the user's own benchmark_model. With
`--serials` on several phones side by side, a worker for each: one that goes away is not measured, the others go on.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.commands.bench_rows import Row, emulated, exit_code, fell_back, figures_of, of_device_run
from exporter.commands.bench_subjects import bundles_of, subjects
from exporter.commands.bench_table import show_phones, show_rows
from exporter.commands.words import completes, show, show_json

if TYPE_CHECKING:
    from exporter.android.adb import Device
    from exporter.android.device import Phone
    from exporter.android.protocol import Backend
    from exporter.android.runs import DeviceRun, Load
    from exporter.android.several import Asked
    from exporter.commands.bench_subjects import Subject

ALL = "all"
WHERE = "android_adb"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("on phones (--runtime android_adb)")
    group.add_argument("--serial", help="of the phone, as `adb devices` lists it; default: the only one")
    serials = group.add_argument("--serials", help="of several phones, with commas between, or all: side by side")
    completes(serials, _listed)
    group.add_argument(
        "--backend", help="cpu, gpu, nnapi (of AI Hub npu), several with commas between; default cpu (npu)"
    )
    group.add_argument("--app", action="store_true", help="on the CPU, too, in the app of android-demo/")
    group.add_argument("--seconds", type=int, default=0, help="go on for so long, to see the phone throttle")
    group.add_argument("--benchmark-model", type=Path, metavar="BINARY", help="your own android_arm64 benchmark_model")
    group.add_argument(
        "--min-accelerated-share", type=float, metavar="SHARE", help="promise of what a GPU or NPU takes, 0 to 1"
    )
    group.add_argument("--out", type=Path, metavar="FILE", help="keep the figures as JSON there, too")


def _listed(**_: object) -> list[str]:
    """The serials that adb lists, for a shell; a server that is not there is not waited for long."""
    from exporter.android.adb import Adb, find_adb
    from exporter.errors import ExportError

    adb = find_adb()
    try:
        return [ALL, *(one.serial for one in Adb(adb).devices())] if adb else [ALL]
    except ExportError:
        return [ALL]


@dataclass(frozen=True, slots=True)
class Job:
    """One file on one backend, as every phone gets it."""

    subject: Subject
    load: Load


@dataclass(frozen=True, slots=True)
class PhoneRuns:
    """What became of one phone; `reason`: why it, or the comparison of its runs, counts as not measured."""

    serial: str
    phone: Phone | None
    rows: tuple[Row, ...]
    reason: str = ""


def run(args: argparse.Namespace, threads: list[int]) -> int:
    """0 measured · 1 a phone's picture is another, or a promise was missed · 3 something was not measured."""
    from exporter.errors import RecipeError
    from exporter.runtimes.android_adb import AndroidAdb

    if args.serial and args.serials is not None:
        raise RecipeError("--serial and --serials: name the phones in one of them")
    if args.serials is not None:
        serials = None if args.serials.strip() == ALL else _words(args.serials)
        return _several(args, serials, _jobs(args, threads))
    return _one(args, AndroidAdb(args.serial), _jobs(args, threads))


def _jobs(args: argparse.Namespace, threads: list[int]) -> list[Job]:
    from exporter.android.runs import Load

    return [
        Job(subject, Load(backend, count, args.warmup, args.runs, args.seconds))
        for subject in subjects(args.models, WHERE)
        for backend in _backends(args.backend or "cpu")
        for count in threads
    ]


def _backends(text: str) -> list[Backend]:
    from exporter.android.protocol import BACKENDS
    from exporter.errors import RecipeError

    asked = [word.strip() for word in text.split(",")]
    if unknown := [word for word in asked if word not in BACKENDS]:
        raise RecipeError(f"--backend {text}: no backend is named {unknown[0]!r}", hint=f"known: {', '.join(BACKENDS)}")
    return [known for known in BACKENDS if known in asked]


def _one(args: argparse.Namespace, runtime: Any, jobs: list[Job]) -> int:
    from exporter.android.runs import DeviceRun, require_comparable
    from exporter.errors import EngineError, MissingTool

    if why := runtime.missing():
        raise MissingTool(why)
    way = Way(args, lambda: runtime.runner, runtime.launcher)
    rows: list[Row] = []
    for job in jobs:
        try:
            rows.append(way.row(runtime.connected, runtime.phone, job))
        except EngineError as error:
            rows.append(_not_run(runtime.phone.serial, job, str(error)))

    def table() -> None:
        show(str(runtime.phone))
        show_rows(f"{args.runs} calls or more after {args.warmup} to warm up", rows)

    say(args, {"phone": asdict(runtime.phone), "rows": [figures_of(row) for row in rows]}, table)
    require_comparable([row.run for row in rows if isinstance(row.run, DeviceRun)])
    return exit_code(rows)


def _several(args: argparse.Namespace, serials: list[str] | None, jobs: list[Job]) -> int:
    from exporter.android.adb import NO_ADB, Adb, find_adb
    from exporter.android.several import choose_devices, side_by_side
    from exporter.errors import MissingTool
    from exporter.runtimes.android_adb import AndroidAdb

    adb = find_adb()
    if adb is None:
        raise MissingTool(NO_ADB)
    asked = choose_devices(Adb(adb), serials)
    shared = AndroidAdb()
    in_shell = not (args.app or args.benchmark_model) and any(job.load.backend == "cpu" for job in jobs)
    if in_shell and (why := shared.without_engine()):
        raise MissingTool(why)
    runner = shared.runner if in_shell else None  # once, before the workers: it is a file on this machine
    way = Way(args, lambda: runner, shared.launcher)
    found = side_by_side(asked, lambda one: _on_phone(one, jobs, way))
    rows = [row for each in found for row in each.rows]

    def table() -> None:
        show_rows(f"{len(found)} phones side by side, {args.runs} calls or more after {args.warmup} to warm up", rows)
        show_phones([(each.serial, each.phone, each.rows, each.reason) for each in found])

    say(args, _document(found), table)
    return exit_code(rows, not_measured=any(each.reason for each in found))


def _words(text: str) -> list[str]:
    from exporter.errors import RecipeError

    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise RecipeError("--serials names no phone", hint="--serials all, or serials with commas between")
    return words


def _document(found: Iterable[PhoneRuns]) -> dict[str, Any]:
    phones = [
        {"serial": each.serial, "phone": each.phone and asdict(each.phone), "not_measured": each.reason or None}
        for each in found
    ]
    return {"phones": phones, "rows": [figures_of(row) for each in found for row in each.rows]}


def say(args: argparse.Namespace, document: dict[str, Any], table: Callable[[], None]) -> None:
    """Show the figures, and write them down, whole or not at all, where that was asked for."""
    from exporter.files.atomic import write_text_atomically
    from exporter.files.plain_json import json_text

    document = {"bundles": bundles_of(args.models), **document}
    if args.json:
        show_json(document)
    else:
        table()
    if args.out is not None:  # last: what cannot be written was seen all the same
        write_text_atomically(args.out, json_text(document) + "\n")


def _on_phone(asked: Asked, jobs: list[Job], way: Way) -> PhoneRuns:
    """All jobs on one phone, one after the other; from the moment that it is gone none of them is measured."""
    from exporter.android.device import describe
    from exporter.android.runs import DeviceRun, require_comparable
    from exporter.android.several import why_gone
    from exporter.errors import EngineError, LostWorker, MissingTool

    device, gone, phone, rows = asked.device, asked.gone, None, []
    try:
        phone = None if gone else describe(device)
    except EngineError as error:
        gone = why_gone(device) or str(error)
    for job in jobs:
        if device.adb.called_off.is_set():
            break  # nobody will look at it
        if gone or phone is None:
            rows.append(_not_run(asked.serial, job, gone))
            continue
        try:
            rows.append(way.row(device, phone, job))
        except (EngineError, MissingTool) as error:
            gone = why_gone(device) if isinstance(error, LostWorker) else ""
            rows.append(_not_run(asked.serial, job, gone or str(error)))
    try:
        require_comparable([row.run for row in rows if isinstance(row.run, DeviceRun)])
    except EngineError as error:
        return PhoneRuns(asked.serial, phone, tuple(rows), gone or str(error))
    return PhoneRuns(asked.serial, phone, tuple(rows), gone)


def _not_run(serial: str, job: Job, reason: str) -> Row:
    return Row(serial, job.subject, job.load.backend, job.load.threads, reason=reason)


@dataclass(frozen=True, slots=True)
class Way:
    """How a job is run on a phone: what the command line asks for, and what is started under `adb shell`."""

    args: argparse.Namespace
    runner: Callable[[], Path | None]
    launcher: tuple[str, ...]

    def row(self, device: Device, phone: Phone, job: Job) -> Row:
        """Raises EngineError when it does not run, MissingTool when the phone lacks the app."""
        from exporter.android.official import run_official

        load = job.load
        if self.args.benchmark_model:
            times = run_official(device, self.args.benchmark_model, job.subject.artifact.path, load)
            whole = load.backend == "cpu" or times.times.accelerated
            reason = fell_back(whole, times.times.took) or emulated(times.phone)
            return Row(phone.serial, job.subject, load.backend, load.threads, official=times, reason=reason)
        done = self._run(device, phone, job)
        least = self.args.min_accelerated_share
        return of_device_run(phone.serial, job.subject, load.backend, load.threads, done, least)

    def _run(self, device: Device, phone: Phone, job: Job) -> DeviceRun:
        from exporter.android.runs import run_in_app, run_in_shell
        from exporter.runtimes.android_adb import require_arm64

        model, golden = job.subject.artifact.path, job.subject.golden
        runner = None if self.args.app or job.load.backend != "cpu" else self.runner()
        if runner is None:
            return run_in_app(device, model, golden, job.load)
        require_arm64(phone)
        return run_in_shell(device, runner, model, golden, job.load, launcher=self.launcher)
