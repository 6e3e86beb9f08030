"""`exporter doctor`: can this machine do the work? Exit code 3 when something is missing."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from exporter.commands.words import add_json, show_json, show_table
from exporter.runtimes import CPU_RUNTIMES, RUNTIMES

NEEDED_MEMORY_GB = 4.0
NEEDED_DISK_GB = 2.0
PACKAGES = (
    "torch",
    "onnx",
    "onnxruntime",
    "onnx2tf",
    "tensorflow",
    "ai-edge-litert",
    "onnxsim",
    "torch-pruning",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    checks = [*_machine(), *_packages(), *_runtimes()]
    if args.json:
        show_json([{"check": name, "found": found, "problem": problem} for name, found, problem in checks])
    else:
        show_table("", ("check", "found", "problem"), [(n, f, p or "–") for n, f, p in checks])
    return 3 if any(problem for _, _, problem in checks) else 0


def _machine() -> list[tuple[str, str, str]]:
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    disk_gb = shutil.disk_usage(Path.cwd()).free / 2**30
    return [
        ("python", platform.python_version(), ""),
        ("cores", str(os.cpu_count()), ""),
        (
            "memory",
            f"{memory_gb:.1f} GB",
            "" if memory_gb >= NEEDED_MEMORY_GB else f"needs {NEEDED_MEMORY_GB} GB",
        ),
        ("free disk", f"{disk_gb:.1f} GB", "" if disk_gb >= NEEDED_DISK_GB else f"needs {NEEDED_DISK_GB} GB"),
    ]


def _packages() -> list[tuple[str, str, str]]:
    rows = []
    for name in PACKAGES:
        try:
            rows.append((name, version(name), ""))
        except PackageNotFoundError:
            rows.append((name, "absent", "pip install 'exporter[export]'"))
    return rows


def _runtimes() -> list[tuple[str, str, str]]:
    rows = []
    for runtime in RUNTIMES:
        reason, needed = runtime.missing(), runtime in CPU_RUNTIMES  # most machines need no GPU, emulator or phone
        found = runtime.device(1) if reason is None else "absent" if needed else reason
        rows.append((f"runtime {runtime.name}", found, reason or "" if needed else ""))
    return rows
