"""Writes the figures of the last export and of the benchmarks into the README, between its markers.

    .venv/bin/python tools/update_readme.py dist/mobile_deblur-0.1.0

Reads the bundle's report, benchmarks/*.json and recipes/results/restoration.json.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

REPO = Path(__file__).parent.parent


def main(bundle: Path) -> None:
    report = _read(bundle / "report" / "report.json")
    readme = REPO / "README.md"
    text = _put(readme.read_text(), "summary", _summary(report))
    readme.write_text(_put(text, "measured", _measured()))


def _summary(report: dict[str, Any]) -> str:
    titles = ("target", "runtime", "parity, worst", "gain", "lost to the float model", "median call", "size")
    rows = [
        (
            target["name"],
            target["runtime"],
            f"{target['parity']['worst_psnr_db']:.1f} dB",
            f"{target['quality']['gain_db']:+.2f} dB",
            f"{abs(target['quality']['loss_db']):.3f} dB",
            f"{target['latency']['p50_ms']:.1f} ms",
            f"{target['model']['size_bytes'] / 1e3:.0f} kB",
        )
        for target in report["targets"]
    ]
    count, kept = len(report["promises"]), sum(v["status"] == "kept" for v in report["promises"])
    return f"{_table(titles, rows)}\n\n{kept} of {count} promises kept; 256×256 px, two threads."


def _measured() -> str:
    recipe, conversion = _read(REPO / "benchmarks/default_recipe.json"), _read(REPO / "benchmarks/conversion.json")
    ms, seconds = conversion["latency_p50_ms"], conversion["seconds"]
    whole, files = "`benchmarks/default_recipe.py`", "`benchmarks/conversion.py`"
    answers = f"{recipe['unchanged_run_s']:.1f} s · {recipe['plan_s']:.2f} s · {recipe['bad_recipe_s']:.2f} s"
    conversions = f"{seconds['ours']:.1f} s against {seconds['onnx2tf plain']:.1f} s"
    rows = [
        ("default recipe", f"{recipe['first_run_s']:.0f} s, peak {recipe['peak_memory_mb'] / 1e3:.1f} GB", whole),
        ("unchanged re-run · `plan` · a bad recipe", answers, whole),
        (
            "ONNX → fp32, fp16, INT8, against `onnx2tf -oiqt`",
            f"{conversions}: {conversion['conversion_speedup']}×",
            files,
        ),
        (
            "INT8 file against its fp32 sibling, LiteRT CPU",
            f"{ms['ours int8']} ms against {ms['ours fp32']} ms: {conversion['int8_speedup_over_own_fp32']}×",
            files,
        ),
        ("… against `onnx2tf -oiqt` of the same student", f"{conversion['int8_speedup_over_onnx2tf_plain']}×", files),
        (
            "… against `onnx2tf -oiqt` of a hard-swish MobileNetV3 student as it is",
            f"{conversion['int8_speedup_over_onnx2tf_hard_swish']}×",
            files,
        ),
    ]
    machine = f"{recipe['environment']['cores']} cores of {recipe['environment']['cpu']}, {recipe['date']}"
    return f"On {machine}; `make bench` measures again.\n\n{_table(('question', 'answer', 'script'), rows)}"


def _table(titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (titles, ("---",) * len(titles), *rows))


def _put(text: str, marker: str, content: str) -> str:
    pattern = rf"(<!-- {marker}:begin -->\n).*?(<!-- {marker}:end -->)"
    return re.sub(pattern, lambda match: f"{match[1]}{content}\n{match[2]}", text, flags=re.DOTALL)


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


if __name__ == "__main__":
    main(Path(sys.argv[1]))
