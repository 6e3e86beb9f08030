"""Lets every entrant make its INT8 file in a process of its own, and says what that took.

A process gives its peak memory and its processor time; a peer whose versions are not ours gets an environment of its
own. What was made once for the same network, pictures and versions is not made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from exporter.runs.environment import environment

HERE = Path(__file__).parent
SCRIPTS = HERE / "int8_entrants"
SOURCES = HERE.parent / "exporter"
LONGEST_S = 3600


@dataclass(frozen=True, slots=True)
class Entrant:
    """`requirements`: what the environment of its own holds; none: it runs in ours. `options` are our stage's, JSON."""

    name: str
    script: str
    suffix: str
    ours: bool = False
    options: str = ""
    requirements: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        return Path(self.script).stem + ("_tuned" if self.options else "")


LITERT_TORCH = ("litert-torch==0.10.0", "ai-edge-quantizer==0.10.0", f"torch=={torch.__version__.split('+')[0]}")
TUNED, TUNED_FOR_CPUS = json.dumps({"tune": True}), json.dumps({"tune": True, "device": "cpu"})
ENTRANTS = (
    Entrant("ours, LiteRT", "exporter_tflite.py", ".tflite", ours=True),
    Entrant("ours, tuned for CPUs", "exporter_tflite.py", ".tflite", ours=True, options=TUNED_FOR_CPUS),
    Entrant("onnx2tf -oiqt", "onnx2tf_as_it_comes.py", ".tflite"),
    Entrant("TensorFlow converter", "tensorflow_converter.py", ".tflite"),
    Entrant("litert-torch + AI Edge Quantizer", "litert_torch_quantizer.py", ".tflite", requirements=LITERT_TORCH),
    Entrant("ours, ONNX Runtime", "exporter_onnx.py", ".onnx", ours=True),
    Entrant("ours, tuned, ONNX Runtime", "exporter_onnx.py", ".onnx", ours=True, options=TUNED),
    Entrant("ONNX Runtime percentile", "onnxruntime_percentile.py", ".onnx"),
)


def made_files(entrant: Entrant, given: Path, build: Path, as_they_are: bool = False) -> dict[str, Any]:
    """`folder` with fp32 and int8 files, seconds, peak memory; `error` as well when it failed.

    `given` holds the network and the pictures, `build` the environments. With `as_they_are` files of other versions
    will do.
    """
    folder = given / entrant.folder
    record = folder / "made.json"
    key = _key(entrant, given)
    if record.exists():
        known: dict[str, Any] = json.loads(record.read_text())
        if as_they_are or known["key"] == key:
            return known | {"folder": str(folder)}
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    sys.stderr.write(f"{given.name}: {entrant.name}\n")
    python = _environment(entrant.requirements, build) if entrant.requirements else Path(sys.executable)
    words = [str(python), str(SCRIPTS / entrant.script), str(given), str(folder), *filter(None, [entrant.options])]
    found = {"key": key, **_run(words, folder / "log.txt")}
    record.write_text(json.dumps(found, indent=1))
    return found | {"folder": str(folder)}


def _key(entrant: Entrant, given: Path) -> str:
    parts = [(SCRIPTS / entrant.script).read_bytes(), (given / "ready.json").read_bytes()]
    versions = {name: version for name, version in environment().items() if name not in ("cpu", "cores")}
    parts.append(json.dumps([versions, entrant.requirements, *filter(None, [entrant.options])]).encode())
    if entrant.ours:
        parts.append((SCRIPTS / "exporter_stages.py").read_bytes())
        parts += [path.read_bytes() for part in ("quantization", "rewrites", "stages") for path in _modules(part)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _modules(package: str) -> list[Path]:
    return sorted((SOURCES / package).glob("*.py"))


def _environment(requirements: tuple[str, ...], build: Path) -> Path:
    """The Python of an environment that holds `requirements`, made on first use."""
    digest = hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:8]
    folder = build / f"environment-{digest}"
    python, installed = folder / "bin" / "python", folder / ".installed"
    if not installed.exists():
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *requirements], check=True)
        installed.touch()
    return python


def _run(words: list[str], log: Path) -> dict[str, Any]:
    """Wall and processor seconds and peak memory of the child with all its own children."""
    started_s = time.monotonic()
    with log.open("wb") as sink:
        child = subprocess.Popen(words, stdout=sink, stderr=subprocess.STDOUT)
        status, usage = _wait(child)
    took = {
        "seconds": round(time.monotonic() - started_s, 1),
        "processor_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_memory_mb": round(usage.ru_maxrss / 1024),
    }
    return took if status == 0 else took | {"error": _last_words(log.read_text(errors="replace"), status)}


def _wait(child: subprocess.Popen[bytes]) -> tuple[int, Any]:
    stop_s = time.monotonic() + LONGEST_S
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return child.returncode, usage
        if time.monotonic() > stop_s:
            child.kill()
            stop_s = float("inf")
        time.sleep(0.2)


def _last_words(log: str, status: int) -> str:
    """The line that says what went wrong: the last one, as Python prints it."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    said = next((line for line in reversed(lines) if "Error" in line), lines[-1] if lines else "")
    return f"exit status {status}: {said[:300]}"
