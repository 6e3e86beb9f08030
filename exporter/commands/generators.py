"""`exporter generators`: the architectures a recipe can name, and which targets each of them reaches.

The verdicts were measured by tools/support_matrix.py; this command only shows them.
"""

from __future__ import annotations

import argparse
import json
from importlib.resources import files
from typing import Any

from exporter.commands.words import add_json, show, show_json, show_table
from exporter.generators.base import MISSING_ZOO, GeneratorInfo
from exporter.generators.table import GENERATORS, ZOO

TITLES = {
    "onnx": "ONNX",
    "ort_int8": "ORT INT8",
    "tflite_fp32": "TFLite fp32",
    "tflite_fp16": "TFLite fp16",
    "tflite_int8": "TFLite INT8",
    "tensorrt": "TensorRT",
    "gpu_delegate": "GPU delegate",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    verdicts = read_verdicts()
    if args.json:
        show_json([{"name": i.name, "licence": i.licence, "targets": verdicts.get(i.name, {})} for i in GENERATORS])
        return 0
    measured = [title for title in TITLES if any(title in targets for targets in verdicts.values())]
    columns = ("name", "size", "licence", *(TITLES[title] for title in measured))
    show_table("", columns, [_row(info, verdicts.get(info.name, {}), measured) for info in GENERATORS])
    for info in GENERATORS:
        for target, cell in verdicts.get(info.name, {}).items():
            if cell["status"] != "ok":
                show(f"{info.name} → {TITLES.get(target, target)}: {cell['reason']}")
    show(f"besides, model.arch={ZOO.name}: {ZOO.summary} ({MISSING_ZOO})")
    return 0


def read_verdicts() -> dict[str, dict[str, dict[str, str]]]:
    """Per architecture and target: status ("ok" or "refused") and reason, from the file inside the package."""
    file = files("exporter.generators") / "support_matrix.json"
    rows: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else []
    return {
        row["name"]: {target: {k: cell[k] for k in ("status", "reason")} for target, cell in row["targets"].items()}
        for row in rows
    }


def _row(info: GeneratorInfo, verdicts: dict[str, dict[str, str]], measured: list[str]) -> tuple[str, ...]:
    size = f"× {info.multiple}" if info.multiple > 1 else "any"
    return (info.name, size, info.licence, *(verdicts.get(t, {}).get("status", "not measured") for t in measured))
