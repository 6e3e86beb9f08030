"""An order, and what phones of a farm answer to it: written after the protocol, not recorded from a service."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from exporter.android.protocol import Request
from exporter.android.runs import Load
from exporter.artifact import sha256_of
from exporter.farms.base import Order

PROPERTIES = """[ro.product.manufacturer]: [Google]
[ro.product.model]: [Pixel 8]
[ro.soc.model]: [Tensor G3]
[ro.build.version.release]: [15]
[ro.build.version.sdk]: [35]
[ro.build.fingerprint]: [google/shiba/shiba:15/AP4A/1:user/release-keys]
[ro.product.cpu.abi]: [arm64-v8a]
"""
ANSWERS = {
    "thermal": "Thermal Status: 0\n",
    "battery": "  AC powered: true\n  status: 2\n  level: 97\n  temperature: 300\n",
    "max_khz": "1704000\n2914000\n",
    "governors": "sched_pixel\nsched_pixel\n",
}


def order_of(model: Path, backend: str = "gpu", limit_s: float = 60.0) -> Order:
    picture = np.zeros((1, 8, 8, 3), np.float32)
    pairs = [(picture, picture), (picture + 1, picture + 1)]
    load = Load(threads=2, warmup=1, runs=3)
    return Order(model, sha256_of(model), "input", pairs, load, backend, limit_s)


def result_of(request: Request, sha256: str, **changes: Any) -> dict[str, Any]:
    """What the app writes."""
    return {
        "schema_version": 1,
        "run": request.run,
        "engine": "LiteRT 2.3.0 CompiledModel",
        "model_sha256": sha256,
        "backend": request.backend,
        "accelerated": True,
        "threads": request.threads,
        "init_ms": 80.0,
        "first_run_ms": 12.0,
        "samples_ms": [4.0, 4.1, 4.2],
        "thermal": [{"after_s": 0, "status": 0}],
        "memory_kb": 4096,
        "golden": {"vectors": 2, "max_abs": 1e-5, "psnr_db": 90.0},
        "error": None,
        **changes,
        "end": True,
    }


def artifacts(request: Request, sha256: str, without: str = "", **changes: Any) -> bytes:
    """The zip of the host's log folder; `changes`: other files' contents, by name without ending."""
    moments = {when: {"answers": ANSWERS, "boot_id": "b1"} for when in ("before", "after")}
    files = {
        "properties.txt": PROPERTIES,
        "conditions.json": json.dumps({"fixed_performance": True, **moments}),
        "result.json": json.dumps(result_of(request, sha256)),
        "log.txt": "",
        "done.json": json.dumps({"run": request.run}),
    }
    files |= {f"{name}.json": json.dumps(content) for name, content in changes.items()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            if name != without:
                archive.writestr(f"Host_Machine_Files/$DEVICEFARM_LOG_DIR/exporter/{name}", text)
    return buffer.getvalue()
