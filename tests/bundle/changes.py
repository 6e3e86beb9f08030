"""Changes to a bundle's documents, as somebody who means harm would make them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

MANIFEST, GOLDEN, REPORT = "manifest.json", "golden/golden.json", "report/report.json"
Change = Callable[[dict[str, Any]], object]
FP32, INT8 = 0, 2  # places in `models` and among the report's targets


def put(*path: Any) -> Change:
    """Sets what the path, all but the last, leads to; the last is the value."""
    *steps, key, value = path

    def change(tree: Any) -> None:
        for step in steps:
            tree = tree[step]
        tree[key] = value

    return change


def drop(*path: Any) -> Change:
    *steps, key = path

    def change(tree: Any) -> None:
        for step in steps:
            tree = tree[step]
        del tree[key]

    return change


def edit(bundle: Path, file: str, change: Change) -> None:
    path = bundle / file
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))


def in_every_golden_entry(key: str, value: object) -> Change:
    def change(tree: dict[str, Any]) -> None:
        for vector in tree["vectors"]:
            for entry in vector["models"]:
                entry[key] = value

    return change
