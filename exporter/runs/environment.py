"""What this ran on: versions, processor, cores."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "exporter",
    "torch",
    "torch-pruning",
    "onnx",
    "onnxscript",
    "onnxsim",
    "onnxconverter-common",
    "onnxruntime",
    "onnx2tf",
    "tensorflow",
    "ai-edge-litert",
    "tflite-runtime",
    "tensorrt-rtx-cu13-libs",
    "tensorrt",
    "numpy",
)


def environment() -> dict[str, str]:
    """Package → version for what is installed, plus python, platform, cpu and cores."""
    found = {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cpu": processor(),
        "cores": str(len(os.sched_getaffinity(0))),
    }
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def processor() -> str:
    """The processor's name as the kernel gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
