"""Google's own benchmark_model binary on the phone, when the user has it.

Its text is read, its exit code is not believed. It gives times, not pictures: no parity. The binary is the user's,
built for android_arm64.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from exporter.android.adb import Device, words
from exporter.android.device import Conditions, Phone, describe, fixed_performance, read_conditions, wait_until_cool
from exporter.android.runs import HOME, Load
from exporter.artifact import sha256_of
from exporter.delegate_log import read_delegate_log
from exporter.errors import EngineError

MOST_S = 150
SPARE_S = 300.0
_NUMBER = r"([\d.]+(?:e[+-]?\d+)?)"
_SUMMARY = re.compile(
    rf"Inference timings in us: Init: {_NUMBER}, First inference: {_NUMBER}, "
    rf"Warmup \(avg\): {_NUMBER}, Inference \(avg\): {_NUMBER}"
)
_SPREAD = re.compile(
    rf"count=(\d+) first=.*?avg={_NUMBER} std=(?:{_NUMBER})(?: p5={_NUMBER} median={_NUMBER} p95={_NUMBER})?"
)
_MEMORY = re.compile(
    rf"(?:Memory footprint delta from the start of the tool|Peak memory footprint) \(MB\): init=\S+ overall={_NUMBER}"
)
_BACKENDS = {"cpu": (), "gpu": ("--use_gpu=true",), "nnapi": ("--use_nnapi=true",)}


@dataclass(frozen=True, slots=True)
class OfficialTimes:
    """What benchmark_model printed. Older ones print no percentiles; `accelerated`: every operator was delegated;
    `took`: how many were, and why not the others, as far as it tells."""

    calls: int
    init_ms: float
    first_run_ms: float
    mean_ms: float
    p50_ms: float | None
    p95_ms: float | None
    memory_mb: float | None
    accelerated: bool
    took: str = ""


@dataclass(frozen=True, slots=True)
class OfficialRun:
    phone: Phone
    before: Conditions
    after: Conditions
    times: OfficialTimes


def read_official(text: str) -> OfficialTimes:
    """Raises EngineError when the text ends before its summary, which benchmark_model prints last."""
    summary, spreads, memory = _SUMMARY.search(text), list(_SPREAD.finditer(text)), _MEMORY.search(text)
    if summary is None or not spreads:
        raise EngineError("benchmark_model's text is cut short: it has no `Inference timings in us`")
    init_us, first_us, _, mean_us = map(float, summary.groups())
    last = spreads[-1]  # the warm-up prints one, too
    return OfficialTimes(
        calls=int(last[1]),
        init_ms=init_us / 1e3,
        first_run_ms=first_us / 1e3,
        mean_ms=mean_us / 1e3,
        p50_ms=float(last[5]) / 1e3 if last[5] else None,
        p95_ms=float(last[6]) / 1e3 if last[6] else None,
        memory_mb=float(memory[1]) if memory else None,
        accelerated="will be completely executed by the delegate" in text,
        took=read_delegate_log(text).verdict,
    )


def run_official(device: Device, binary: Path, model: Path, load: Load) -> OfficialRun:
    """Time `model` with benchmark_model `binary` under `adb shell`. Raises EngineError."""
    phone = describe(device)
    there, file = f"{HOME}/benchmark_model-{sha256_of(binary)[:16]}", f"{HOME}/{sha256_of(model)[:16]}{model.suffix}"
    device.push(binary, there)
    device.push(model, file)
    seconds = max(MOST_S, load.seconds)
    command = [there, f"--graph={file}", f"--num_threads={load.threads}", f"--num_runs={load.runs}"]
    command += [f"--warmup_runs={max(1, load.warmup)}", f"--min_secs={load.seconds}", f"--max_secs={seconds}"]
    with fixed_performance(device) as fixed:
        wait_until_cool(device)
        before = read_conditions(device, fixed_performance=fixed)
        script = f"chmod 755 {there} && {words([*command, *_BACKENDS[load.backend]])} 2>&1"
        text = device.shell(script, timeout_s=seconds + SPARE_S)
        after = read_conditions(device, fixed_performance=fixed)
    return OfficialRun(phone, before, after, read_official(text))
