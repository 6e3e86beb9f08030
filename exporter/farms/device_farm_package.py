"""What AWS Device Farm's test host gets: a zip and the test spec that says what to start."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

from exporter.android.device import QUESTIONS
from exporter.android.protocol import ACTIVITY, BACKENDS, PACKAGE, Request
from exporter.android.runs import HOME, START_S
from exporter.errors import RecipeError
from exporter.farms.base import Order

HOST_PROGRAM = Path(__file__).with_name("device_farm_host.py")
# Whatever Python that host has will do: the program knows nothing newer than 3.7.
SPEC = """version: 0.1
android_test_host: amazon_linux_2
phases:
  test:
    commands:
      - cd "$DEVICEFARM_TEST_PACKAGE_PATH"
      - python3 device_farm_host.py job.json "$DEVICEFARM_LOG_DIR"
artifacts:
  - $DEVICEFARM_LOG_DIR
"""


def request_of(order: Order, run: str) -> Request:
    """What BenchActivity is asked for. Raises RecipeError for a backend that it does not know."""
    for backend in BACKENDS:
        if backend == order.backend:
            load = order.load
            numbers = {"threads": load.threads, "warmup": load.warmup, "runs": load.runs, "seconds": load.seconds}
            return Request(
                run=run,
                model=f"{HOME}/{order.sha256[:16]}.tflite",
                golden=f"{HOME}/{run}.golden",
                backend=backend,
                result=f"/sdcard/Android/data/{PACKAGE}/files/{run}.json",
                **numbers,
            )
    raise RecipeError(f"the demo app runs on {', '.join(BACKENDS)}, not on {order.backend}")


def write_package(path: Path, order: Order, request: Request) -> None:
    """The zip: job.json, the host's program, the model, the golden vectors."""
    import numpy as np

    golden: list[str] = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for number, pair in enumerate(order.golden):
            for side, tensor in zip(("input", "output"), pair, strict=True):
                buffer = io.BytesIO()
                np.save(buffer, np.ascontiguousarray(tensor), allow_pickle=False)
                golden.append(f"{number}.{side}.npy")
                package.writestr(golden[-1], buffer.getvalue())
        package.write(order.model, "model.tflite")
        package.write(HOST_PROGRAM, HOST_PROGRAM.name)
        job = {
            "run": request.run,
            "component": f"{PACKAGE}/{ACTIVITY}",
            "package": PACKAGE,
            "extras": request.extras(),
            "push": {"model.tflite": request.model, **{name: f"{request.golden}/{name}" for name in golden}},
            "result": request.result,
            "sweep": [f"{request.result}*", f"{HOME}/{request.run}*"],
            "timeout_s": START_S + request.seconds,
            "questions": QUESTIONS,
        }
        package.writestr("job.json", json.dumps(job))


def write_spec(path: Path) -> None:
    path.write_text(SPEC, encoding="utf-8", newline="\n")
