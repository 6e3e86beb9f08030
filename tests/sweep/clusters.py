"""Real clusters on this machine, and sweeps of real exports that are small enough for one."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from exporter.bundle import reproducible_files
from exporter.cli import main
from tests.recipes.recipe_folder import write_recipe_folder

SMALL: dict[str, Any] = {
    "stages": ["torch_to_onnx", "simplify_onnx"],
    "targets": {
        "onnx": {"runtime": "onnxruntime_cpu", "budget": {"min_parity_db": 80}},
        "int8": {"runtime": "litert_cpu", "stages": ["onnx_to_tflite", "quantize_tflite"]},
    },
}
SETTINGS = ("--set", "quantize_tflite.ranges=percentile,mse")


def small_recipe(folder: Path, teacher: Path) -> Path:
    return write_recipe_folder(folder, teacher, **SMALL)


def sweep(name: str, *words: str) -> dict[str, Any]:
    """What a sweep of the small recipe in the current folder says of itself; its exit code is the process's."""
    code = main(["sweep", "tiny.yaml", *SETTINGS, "--name", name, *words])
    found: dict[str, Any] = json.loads(Path("dist", name, "sweep.json").read_text())
    assert found["exit_code"] == code
    return found


def bytes_of(found: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Digests of all that has the same bytes wherever it was made, by the export's name."""
    return {each["name"]: reproducible_files(Path(each["bundle"])) for each in found["exports"]}


def pids(*words: str, within_s: float = 60) -> list[int]:
    """Processes that have all of `words` on their command line, as soon as there are any."""
    late_s = time.monotonic() + within_s
    while time.monotonic() < late_s:
        if found := [pid for pid in _all() if all(word.encode() in _command(pid) for word in words)]:
            return found
        time.sleep(0.02)
    return []


def kill_when(folder: Path, *words: str) -> list[int]:
    """Kill -9 the process with `words`, as soon as `folder` is there; gives its number."""
    late_s = time.monotonic() + 120
    while not folder.exists() and time.monotonic() < late_s:
        time.sleep(0.02)
    found = pids(*words)
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    return found


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _all() -> list[int]:
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit() and int(each.name) != os.getpid()]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
