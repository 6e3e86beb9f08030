"""`exporter bench BUNDLE --farm NAME --devices …`: on phones of a device farm, each run checked on golden vectors."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exporter.commands.bench_rows import Row, exit_code, figures_of, of_device_run, of_profiled_run
from exporter.commands.bench_subjects import Subject, subjects
from exporter.commands.bench_table import show_rows
from exporter.commands.words import completes
from exporter.errors import MissingTool, RecipeError

if TYPE_CHECKING:
    from exporter.farms.base import Farm, FarmDevice, Outcome

FARMS = ("aws-device-farm", "ai-hub")
LIMIT_MINUTES = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("in a device farm, which costs what the farm asks for it")
    completes(group.add_argument("--farm", metavar="NAME", help=" or ".join(FARMS)), lambda **_: FARMS)
    group.add_argument("--devices", metavar="NAMES", help='such as "Pixel 8,Galaxy S23"')
    group.add_argument("--limit-minutes", type=float, default=LIMIT_MINUTES, help="how long is waited for a run")
    group.add_argument(
        "--apk", type=Path, metavar="FILE", help="aws-device-farm: the app of android-demo/, with LiteRT"
    )
    group.add_argument("--project", help="aws-device-farm: its name or ARN; default: the only one")


def farm_of(args: argparse.Namespace) -> Farm:
    """The farm that `--farm` names, which may be missing. Raises RecipeError."""
    from exporter.farms.ai_hub import AiHub
    from exporter.farms.device_farm import DeviceFarm
    from exporter.suggestions import named

    named(args.farm, dict.fromkeys(FARMS), "device farm")
    return DeviceFarm(args.apk, args.project) if args.farm == DeviceFarm.name else AiHub()


def run(args: argparse.Namespace, threads: list[int]) -> int:
    """0 measured · 1 a phone's picture is another, or a promise was missed · 3 something was not measured."""
    from exporter.commands.bench_phone import say
    from exporter.farms.base import choose

    farm = farm_of(args)
    if args.runtime or args.serial or args.serials is not None:
        raise RecipeError("--farm goes without --runtime, --serial and --serials: the phones are the farm's")
    if not args.devices:
        raise RecipeError("--farm needs --devices", hint='for example --devices "Pixel 8,Galaxy S23"')
    if args.limit_minutes <= 0:
        raise RecipeError(f"--limit-minutes {args.limit_minutes:g}: it must be above 0")
    if args.apk and not args.apk.is_file():
        raise RecipeError(f"--apk {args.apk}: there is no such file")
    backends, found = _backends(farm, args.backend), subjects(args.models, farm.name)
    if why := farm.missing():
        raise MissingTool(why)
    devices = choose(args.devices, farm.devices())
    rows = [
        row
        for subject in found
        for backend in backends
        for count in threads
        for row in _rows(args, farm, devices, subject, backend, count)
    ]
    document = {"farm": farm.name, "phones": [asdict(device) for device in devices], "rows": _figures(rows)}
    say(args, document, lambda: show_rows(f"{farm.name}, {args.runs} calls asked for", rows))
    return exit_code(rows)


def _figures(rows: list[Row]) -> list[dict[str, Any]]:
    return [figures_of(row) for row in rows]


def _backends(farm: Farm, text: str | None) -> list[str]:
    asked = [word.strip() for word in (text or farm.backends[0]).split(",")]
    if unknown := [word for word in asked if word not in farm.backends]:
        raise RecipeError(f"--backend {text}: {farm.name} has {', '.join(farm.backends)}, not {unknown[0]!r}")
    return [known for known in farm.backends if known in asked]


def _rows(
    args: argparse.Namespace, farm: Farm, devices: list[FarmDevice], subject: Subject, backend: str, threads: int
) -> list[Row]:
    """One row a device, whatever became of it; a farm that fails after it let us in has measured nothing."""
    from exporter.errors import EngineError
    from exporter.farms.base import each_of
    from exporter.not_measured import NotMeasured

    try:
        found: dict[str, Outcome] = farm.measure(devices, _order(args, subject, backend, threads))
    except (EngineError, MissingTool) as error:
        found = {device.id: NotMeasured.because(error) for device in devices}
    least = args.min_accelerated_share
    return [_row(device, subject, backend, threads, outcome, least) for device, outcome in each_of(devices, found)]


def _order(args: argparse.Namespace, subject: Subject, backend: str, threads: int) -> Any:
    from exporter.android.runs import Load
    from exporter.farms.base import Order
    from exporter.graph.read import read_graph

    artifact = subject.artifact
    return Order(
        model=artifact.path,
        sha256=artifact.sha256,
        input_name=read_graph(artifact.path, artifact.signature).inputs[0].name,
        golden=subject.golden,
        load=Load(threads=threads, warmup=args.warmup, runs=args.runs, seconds=args.seconds),
        backend=backend,
        limit_s=args.limit_minutes * 60,
    )


def _row(
    device: FarmDevice, subject: Subject, backend: str, threads: int, outcome: Outcome, least: float | None
) -> Row:
    from exporter.android.runs import DeviceRun
    from exporter.not_measured import NotMeasured

    name = f"{device.name}, Android {device.os}"
    if isinstance(outcome, NotMeasured):
        return Row(name, subject, backend, threads, reason=outcome.reason)
    if isinstance(outcome, DeviceRun):
        return of_device_run(name, subject, backend, threads, outcome, least)
    return of_profiled_run(name, subject, outcome, least)
