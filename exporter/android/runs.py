"""One model run on one phone: everything pushed, started, waited for, read back and believed or not."""

from __future__ import annotations

import json
import shlex
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from exporter.android.adb import COPY_S, SHORT_S, Device, boot_id, words
from exporter.android.device import (
    THERMAL_WORDS,
    Conditions,
    Phone,
    describe,
    differences,
    fixed_performance,
    read_conditions,
    wait_until_cool,
)
from exporter.android.protocol import ACTIVITY, PACKAGE, Backend, Request, Result, read_result
from exporter.android.runner import start_words
from exporter.artifact import sha256_of
from exporter.delegate_log import DelegateLog, read_delegate_log
from exporter.errors import EngineError, MissingTool

if TYPE_CHECKING:
    from numpy.typing import NDArray

HOME = "/data/local/tmp/exporter"
WORKER = Path(__file__).with_name("bench_worker.py")
START_S = 600.0  # a GPU may compile its kernels for minutes the first time
LEAST_POLL_S, MOST_POLL_S = 0.5, 10.0  # each look at the phone costs it a little
SUSTAINED_PART_S = 60.0

Pair = tuple["NDArray[Any]", "NDArray[Any]"]  # raw input and output tensor, batch axis included


@dataclass(frozen=True, slots=True)
class Load:
    """How much is asked of the phone; `seconds` > 0 goes on that long to see it throttle."""

    backend: Backend = "cpu"
    threads: int = 4
    warmup: int = 10
    runs: int = 50
    seconds: int = 0


@dataclass(frozen=True, slots=True)
class DeviceRun:
    """A result with the phone and the conditions it was made under; `after` are those at its end."""

    phone: Phone
    how: str  # "app" | "shell"
    before: Conditions
    after: Conditions
    result: Result
    log: DelegateLog = DelegateLog()  # what the engine wrote of it to the phone's log

    @property
    def device(self) -> str:
        """The device line: equal for runs that may be compared."""
        return f"{self.result.engine}, {self.how}, {self.phone}, {self.before}"

    def throttled(self) -> str:
        """How far the phone throttled while it was timed, and when first; empty if it did not."""
        hot = [moment for moment in self.result.thermal if moment.status > 0]
        if not hot:
            return ""
        return f"{THERMAL_WORDS[max(moment.status for moment in hot)]}, first after {hot[0].after_s:.0f} s"

    def sustained_ms(self) -> tuple[float, float] | None:
        """Median call of the first and of the last minute; None for a run of less than two."""
        samples_ms = self.result.samples_ms
        total_s = sum(samples_ms) / 1e3
        if total_s < 2 * SUSTAINED_PART_S:
            return None
        after_s, first, last = 0.0, [], []
        for sample_ms in samples_ms:
            after_s += sample_ms / 1e3
            if after_s <= SUSTAINED_PART_S:
                first.append(sample_ms)
            if after_s >= total_s - SUSTAINED_PART_S:
                last.append(sample_ms)
        return median(first), median(last)


def require_comparable(runs: Sequence[DeviceRun]) -> None:
    """Raises EngineError, naming what differs, unless all runs are of one system build under the same conditions."""
    for run in runs[1:]:
        first = runs[0]
        found = [*differences(first.before, run.before)]
        found += [f"at the end {difference}" for difference in differences(first.after, run.after)]
        for name in ("fingerprint", "boot_id"):
            if getattr(first.phone, name) != getattr(run.phone, name):
                found.append(f"{name} {getattr(first.phone, name)} and {getattr(run.phone, name)}")
        if found:
            raise EngineError(f"runs under different conditions are not compared: {'; '.join(found)}")


def run_in_app(
    device: Device, model: Path, golden: Sequence[Pair], load: Load, *, package: str = PACKAGE, start_s: float = START_S
) -> DeviceRun:
    """The run in BenchActivity of the app `package`. Raises MissingTool when it is not installed, EngineError."""
    if f"package:{package}" not in device.shell(f"pm list packages {package}").split():
        raise MissingTool(f"{device.serial} has not the app {package}: adb install the APK of android-demo/")
    run_id = uuid.uuid4().hex
    folder = f"/sdcard/Android/data/{package}/files"

    def start(request: Request) -> None:
        component = f"{package}/{ACTIVITY}"
        said = device.shell(words(["am", "start", "-W", "-S", "-n", component, *request.extras()]), timeout_s=COPY_S)
        if "Error" in said:  # am ends with 0 all the same
            raise EngineError(f"{device.serial}: {component} does not start: {said.splitlines()[-1]}")

    def alive() -> bool:
        return bool(device.shell(f"pidof {package} || true").strip())

    request = _request(run_id, model, load, f"{folder}/{run_id}.json")
    since_s = device.shell("date +%s").strip()
    run = _measured(device, "app", model, golden, request, start, alive, start_s)
    return replace(run, log=read_delegate_log(device.shell(f"logcat -d -v raw -T {since_s}.0 2>/dev/null || true")))


def run_in_shell(
    device: Device,
    runner: Path,
    model: Path,
    golden: Sequence[Pair],
    load: Load,
    *,
    engine: str = "ai_edge_litert",
    launcher: tuple[str, ...] = (),
    start_s: float = START_S,
) -> DeviceRun:
    """The run in `bench_worker.py` under `adb shell`, by the self-contained `runner` archive (`runner.py`)."""
    run_id = uuid.uuid4().hex
    folder = unpack_runner(device, runner)
    request = _request(run_id, model, load, f"{HOME}/{run_id}.json")
    order = f"{HOME}/{run_id}.request.json"
    log = f"{HOME}/{run_id}.log"
    pid = f"{HOME}/{run_id}.pid"

    def start(request: Request) -> None:
        device.push(WORKER, f"{HOME}/bench_worker.py")
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch, "request.json")
            file.write_text(json.dumps(request.model_dump() | {"engine": engine}))
            device.push(file, order)
        command = words([*start_words(folder, launcher), f"{HOME}/bench_worker.py", order])
        device.shell(f"nohup {command} </dev/null >{log} 2>&1 & echo $! >{pid}")

    def alive() -> bool:
        return device.shell(f"kill -0 $(cat {pid}) 2>/dev/null && echo yes || tail -n 1 {log} >&2").strip() == "yes"

    return _measured(device, "shell", model, golden, request, start, alive, start_s)


def unpack_runner(device: Device, archive: Path) -> str:
    """The folder on the phone that holds the unpacked `archive`; pushed and unpacked only when it is not there."""
    folder = f"{HOME}/{archive.stem[:23]}"
    if device.shell(f"cat {folder}/.complete 2>/dev/null || true").strip() == archive.stem:
        return folder
    device.push(archive, f"{folder}.tar")
    device.shell(
        f"rm -rf {folder} && mkdir -p {folder} && tar -xf {folder}.tar -C {folder} && rm {folder}.tar && "
        f"echo {archive.stem} >{folder}/.complete",
        timeout_s=COPY_S,
    )
    return folder


def _request(run_id: str, model: Path, load: Load, result: str) -> Request:
    return Request(
        run=run_id,
        model=f"{HOME}/{sha256_of(model)[:16]}{model.suffix}",
        golden=f"{HOME}/{run_id}.golden",
        backend=load.backend,
        threads=load.threads,
        warmup=load.warmup,
        runs=load.runs,
        seconds=load.seconds,
        result=result,
    )


def _measured(
    device: Device,
    how: str,
    model: Path,
    golden: Sequence[Pair],
    request: Request,
    start: Callable[[Request], None],
    alive: Callable[[], bool],
    start_s: float,
) -> DeviceRun:
    phone = describe(device)
    device.push(model, request.model)
    with _golden_on(device, golden, request.golden), fixed_performance(device) as fixed:
        wait_until_cool(device)
        before = read_conditions(device, fixed_performance=fixed)
        try:
            start(request)
            text = _wait_for(device, phone, request.result, alive, start_s + request.seconds)
        finally:
            _sweep(device, f"{request.result}*", f"{HOME}/{request.run}*")
        after = read_conditions(device, fixed_performance=fixed)
    _require_same_boot(device, phone)
    return DeviceRun(phone, how, before, after, read_result(text, request, sha256_of(model)))


def _require_same_boot(device: Device, phone: Phone) -> None:
    """Raises ConnectionLost when the phone is gone, EngineError when it was restarted since it was described."""
    if boot_id(device) != phone.boot_id:
        raise EngineError(f"{device.serial} was restarted during the run")


def _wait_for(device: Device, phone: Phone, path: str, alive: Callable[[], bool], timeout_s: float) -> str:
    """The text of the result once it is renamed into place. Raises EngineError when nobody is there to write it."""
    start_s = time.monotonic()
    while (waited_s := time.monotonic() - start_s) < timeout_s:
        living = alive()  # asked first: a result of one that has ended since is still seen
        text = device.shell(f"cat {shlex.quote(path)} 2>/dev/null || true", timeout_s=SHORT_S)
        if text.strip():
            return text
        if not living:
            _require_same_boot(device, phone)  # a phone that goes away takes the run with it first
            raise EngineError(f"{device.serial}: the run ended without a result")
        device.adb.pause(min(MOST_POLL_S, LEAST_POLL_S + waited_s / 10))
    raise EngineError(f"{device.serial}: no result after {timeout_s:g} s")


@contextmanager
def _golden_on(device: Device, golden: Sequence[Pair], folder: str) -> Iterator[None]:
    """The pairs as .npy files in `folder` on the phone, as long as the context lasts."""
    import numpy as np

    with tempfile.TemporaryDirectory() as scratch:
        for number, pair in enumerate(golden):
            for side, tensor in zip(("input", "output"), pair, strict=True):
                file = Path(scratch, f"{number}.{side}.npy")
                np.save(file, np.ascontiguousarray(tensor), allow_pickle=False)
                device.push(file, f"{folder}/{file.name}")
        yield


def _sweep(device: Device, *patterns: str) -> None:
    """Take our files off the phone; one that is gone keeps them until the next time, under names of no other run."""
    try:
        device.shell(f"rm -rf {' '.join(patterns)}")
    except EngineError:
        return
