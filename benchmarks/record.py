"""Benchmark results as JSON beside the script, with date and versions."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path

from exporter.runs.environment import environment


def record(name: str, figures: dict[str, object]) -> dict[str, object]:
    """Write benchmarks/<name>.json, show it and give it back."""
    result = {"date": datetime.date.today().isoformat(), "environment": environment(), **figures}
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    Path(__file__).with_name(f"{name}.json").write_text(text)
    sys.stdout.write(text)
    return result
