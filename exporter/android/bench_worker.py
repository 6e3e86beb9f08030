"""Does one run of the bench protocol (`protocol.py`) on the CPU, in any Python with numpy and a LiteRT interpreter.

Copied to the phone and started there as `python bench_worker.py REQUEST.json`, with `engine` in the request beside the
keys of the protocol. That is why this file imports nothing of the exporter, and nothing newer than Python 3.8.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

EQUAL_DB, NOT_FINITE_ABS = 200.0, 1e9
THERMAL_EVERY_S = 5.0


def main(request_file: Path) -> None:
    request = json.loads(request_file.read_text())
    result = {"schema_version": 1, "run": request["run"], "engine": request["engine"], "error": None}
    result.update({key: request[key] for key in ("backend", "threads")}, accelerated=True)
    try:
        result.update(_run(request))
    except Exception as error:  # whatever it is, the host is told, in the file it waits for
        result["error"] = f"{type(error).__name__}: {error}"
    target = Path(request["result"])
    part = target.with_name(target.name + ".part")
    with part.open("w") as file:
        json.dump({**result, "end": True}, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(target)


def _run(request: dict[str, Any]) -> dict[str, Any]:
    if request["backend"] != "cpu":
        raise ValueError(f"this worker runs on the CPU, not on {request['backend']}")
    engine = importlib.import_module(request["engine"])
    interpreters = importlib.import_module(request["engine"] + ".interpreter")
    start = perf_counter()
    content = Path(request["model"]).read_bytes()
    interpreter = interpreters.Interpreter(model_content=content, num_threads=request["threads"])
    interpreter.allocate_tensors()
    init_ms = (perf_counter() - start) * 1e3
    call = _Call(interpreter)
    golden = _golden(Path(request["golden"]))
    first = golden[0][0]
    first_run_ms = call.time_ms(first)
    for _ in range(request["warmup"]):
        call(first)
    samples_ms, thermal = _samples(call, first, request["runs"], request["seconds"])
    return {
        "engine": f"{request['engine']} {getattr(engine, '__version__', '(version unknown)')} Interpreter",
        "model_sha256": hashlib.sha256(content).hexdigest(),
        "init_ms": init_ms,
        "first_run_ms": first_run_ms,
        "samples_ms": samples_ms,
        "thermal": thermal,
        "memory_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "golden": _compare(call, golden),
    }


class _Call:
    """Write the input, run, read the output: what an app pays for one picture."""

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self._input = interpreter.get_input_details()[0]["index"]
        self.output = interpreter.get_output_details()[0]

    def __call__(self, tensor: NDArray[Any]) -> NDArray[Any]:
        self._interpreter.set_tensor(self._input, tensor)
        self._interpreter.invoke()
        result: NDArray[Any] = self._interpreter.get_tensor(self.output["index"])
        return result

    def time_ms(self, tensor: NDArray[Any]) -> float:
        start = perf_counter()
        self(tensor)
        return (perf_counter() - start) * 1e3


def _samples(call: _Call, tensor: NDArray[Any], runs: int, seconds: int) -> tuple[list[float], list[dict[str, float]]]:
    samples_ms: list[float] = []
    start, thermal = perf_counter(), [_thermal(0.0)]
    while len(samples_ms) < runs or perf_counter() - start < seconds:
        samples_ms.append(call.time_ms(tensor))
        after_s = perf_counter() - start
        if after_s - thermal[-1]["after_s"] >= THERMAL_EVERY_S:
            thermal.append(_thermal(after_s))
    thermal.append(_thermal(perf_counter() - start))
    return samples_ms, thermal


def _thermal(after_s: float) -> dict[str, float]:
    """The status as `dumpsys thermalservice` tells the shell's user; -1 where it does not."""
    status = -1
    try:
        said = subprocess.run(["dumpsys", "thermalservice"], capture_output=True, text=True, check=False).stdout
    except OSError:
        said = ""
    for line in said.splitlines():
        if line.strip().startswith("Thermal Status:"):
            status = int(line.partition(":")[2])
    return {"after_s": after_s, "status": status}


def _golden(folder: Path) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    count = len(list(folder.glob("*.input.npy")))
    if not count:
        raise ValueError(f"{folder} holds no golden vectors")

    def load(number: int, side: str) -> NDArray[Any]:
        tensor: NDArray[Any] = np.load(str(folder / f"{number}.{side}.npy"), allow_pickle=False)
        return tensor

    return [(load(number, "input"), load(number, "output")) for number in range(count)]


def _compare(call: _Call, golden: list[tuple[NDArray[Any], NDArray[Any]]]) -> dict[str, Any]:
    worst_abs, worst_db = 0.0, EQUAL_DB
    for given, expected in golden:
        made = call(given)
        if made.shape != expected.shape or made.dtype != expected.dtype:
            raise ValueError(f"output {made.shape} {made.dtype}, golden {expected.shape} {expected.dtype}")
        difference = _shown(call, made) - _shown(call, expected)
        if not np.isfinite(difference).all():
            return {"vectors": len(golden), "max_abs": NOT_FINITE_ABS, "psnr_db": -EQUAL_DB}
        mean_square = float(np.mean(difference * difference))
        worst_abs = max(worst_abs, float(np.abs(difference).max()))
        worst_db = min(worst_db, EQUAL_DB if mean_square == 0 else float(-10 * np.log10(mean_square)))
    return {"vectors": len(golden), "max_abs": worst_abs, "psnr_db": worst_db}


def _shown(call: _Call, stored: NDArray[Any]) -> NDArray[np.float64]:
    """Real values cut to 0..1, as a screen shows them; what is not finite stays so."""
    real = stored.astype(np.float64)
    if stored.dtype.kind != "f":
        scale, zero_point = call.output["quantization"]
        real = (real - zero_point) * scale
    return np.where(np.isfinite(real), np.clip(real, 0, 1), np.nan)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
