"""The processor all CPU runtimes share: its name and how many threads it has for us."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path

from exporter.figures import counted


def available_cores() -> int:
    """Cores this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def cpu_name() -> str:
    """The processor's marketing name, e.g. `AMD EPYC`; the architecture where Linux does not tell."""
    cpuinfo = Path("/proc/cpuinfo")
    for line in cpuinfo.read_text().splitlines() if cpuinfo.exists() else ():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Hardware") and value.strip():
            return value.strip()
    return platform.processor() or platform.machine()


def threads_on_cpu(threads: int) -> str:
    """`2 threads, AMD EPYC`: the end of every CPU runtime's device line."""
    return f"{counted(threads, 'thread')}, {cpu_name()}"
