"""Records of releases that never were: one network, two targets, figures by the test's wish."""

from __future__ import annotations

from typing import Any

from exporter.history.record import Record

CPU, OTHER_CPU = "AMD EPYC 7B13", "Ampere Altra"
PICTURES, OTHER_PICTURES = "77" * 32, "88" * 32


def record(version: str = "1.0.0", **wished: Any) -> Record:
    """`psnr_db`, `p50_ms`, `size_bytes`, `cpu`, `pictures` of both its targets; any other word is a record's field."""
    figures = {"psnr_db": 28.0, "p50_ms": 6.5, "size_bytes": 996_000, "cpu": CPU, "pictures": PICTURES}
    figures |= {key: wished.pop(key) for key in list(wished) if key in figures}
    tree: dict[str, Any] = {
        "schema_version": 1,
        "name": "mobile_deblur",
        "version": version,
        "added": f"2026-11-{10 + len(version.split('.')[1])}T10:00:00Z",
        "sums_sha256": "1" * 64,
        "headline": "all 14 promises kept",
        "signed_by": None,
        "source_commit": None,
        "exporter": {"version": "0.1.0", "commit": "ab" * 20, "modified": False},
        "recipe": {"distill.steps": "400"},
        "inputs": {"model.checkpoint": "3f" * 32, "evaluation": figures["pictures"]},
        "tools": {"torch": "2.13.0"},
        "pictures": {"name": "pairs", "sha256": figures["pictures"], "images": 4, "treatment": ""},
        "machine": {"cpu": figures["cpu"], "cores": "2", "platform": "Linux x86_64"},
        "targets": [_target(name, figures) for name in ("tflite_int8", "onnx")],
    }
    return Record.model_validate(tree | wished)


def _target(name: str, figures: dict[str, Any]) -> dict[str, Any]:
    psnr_db = figures["psnr_db"] or 0.0
    each = tuple(psnr_db + offset for offset in (-1.5, -0.5, 0.5, 1.5))
    quality = {"psnr_db": psnr_db, "ssim": 0.87, "gain_db": 1.05, "loss_db": 0.01, "psnr_each_db": each}
    device = f"2 threads, {figures['cpu']}"
    latency = {"p50_ms": figures["p50_ms"], "engine": "LiteRT 2.1.0 XNNPACK", "device": device, "threads": 2}
    return {
        "name": name,
        "runtime": "litert_cpu",
        "file": f"models/mobile_deblur.{name}.tflite",
        "sha256": "5a" * 32,
        "size_bytes": figures["size_bytes"],
        "input": "256×256 px rgb",
        "parity_db": 48.1,
        "quality": None if figures["psnr_db"] is None else quality,
        "latency": None if figures["p50_ms"] is None else latency,
    }
