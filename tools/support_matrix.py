"""Which architecture reaches which target: every cell is a real conversion and a real run, in a process of its own.

    python tools/support_matrix.py                    # everything, into exporter/generators/support_matrix.json
    python tools/support_matrix.py --only nafnet,srn  # these rows again, the others kept
    python tools/support_matrix.py --targets tensorrt --missing   # this column, where it is not filled yet
    python tools/support_matrix.py --cell nafnet onnx 64 64   # one cell, its verdict as JSON (what the parent runs)

Each architecture is a small network with all its kinds of layers and seeded weights, or the full one with the weights
trained here where there are any (tools/generator_variants.py), at two sizes, one of them not square. Parity is measured
against PyTorch on pictures that calibration has not seen. A cell has five minutes of processor time
and 8 GB; what it exceeds or raises becomes the verdict, with the operator that stands in the way.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "exporter" / "generators" / "support_matrix.json"
Run = Callable[[str, str, int, int], dict[str, Any]]  # architecture, target, height, width -> what was measured
SECONDS = 300  # of processor time; a cell that waits instead is stopped after six times as long


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="architectures, separated by commas")
    parser.add_argument("--targets", default="", help="targets, separated by commas")
    parser.add_argument("--missing", action="store_true", help="only cells that are not in the file yet")
    parser.add_argument("--here", action="store_true", help="all in this process: sooner done, but without the limits")
    parser.add_argument("--cell", nargs=4, metavar=("NAME", "TARGET", "HEIGHT", "WIDTH"))
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from tools.matrix_cell import TARGETS, run_cell

    if args.cell:
        name, target, height, width = args.cell
        sys.stdout.write(json.dumps(run_cell(name, target, int(height), int(width))) + "\n")
        return 0
    only, targets = ([word for word in words.split(",") if word] for words in (args.only, args.targets))
    return fill(set(only), targets or list(TARGETS), args.missing, run_here if args.here else run_child)


def fill(only: set[str], targets: list[str], missing: bool = False, run: Run | None = None) -> int:
    """Run the cells and write the matrix after each, so that an interrupted run loses little."""
    from exporter.generators.table import GENERATORS
    from tools.generator_variants import VARIANTS

    for info in GENERATORS:
        if only and info.name not in only:
            continue
        for target in targets:
            if missing and target in _read_rows().get(info.name, {"targets": {}})["targets"]:
                continue
            measured = [(run or run_child)(info.name, target, *size) for size in VARIANTS[info.name].sizes]
            if absent := next((cell["reason"] for cell in measured if cell["status"] == "not measured"), ""):
                say(f"{info.name:24} {target:12} not measured, the cell stays as it is: {absent}")
                continue
            found = verdict(info.name, target, measured)
            say(f"{info.name:24} {target:12} {found['status']:8} {found['reason']}")
            rows = _read_rows()  # read again: another run may have filled other cells meanwhile
            cells_of_row = rows.get(info.name, {"targets": {}})["targets"] | {target: found}
            rows[info.name] = {"name": info.name, "licence": info.licence, "targets": cells_of_row}
            _write([rows[known.name] for known in GENERATORS if known.name in rows])
    return 0


def _write(rows: list[dict[str, Any]]) -> None:
    from exporter.files.atomic import write_text_atomically

    write_text_atomically(RESULTS, json.dumps(rows, indent=1, ensure_ascii=False) + "\n")


def _read_rows() -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(RESULTS.read_text())} if RESULTS.exists() else {}


def verdict(name: str, target: str, cells: list[dict[str, Any]]) -> dict[str, Any]:
    """Both sizes together: refused when either is, with that one's reason."""
    from tools.generator_variants import VARIANTS
    from tools.matrix_cell import TARGETS, kept_float

    variant, int8 = VARIANTS[name], TARGETS[target].int8
    refused = next((cell["reason"] for cell in cells if cell["status"] != "ok"), "")
    refused = refused or (int8 and _overflow(cells)) or ""
    reason = refused
    if not refused:
        worst = min(cell["psnr_db"] for cell in cells)
        largest = max(cell["largest_difference"] for cell in cells)
        reason = f"parity {worst:.1f} dB, largest difference {largest:.1e}"
        if "int8_mac_share" in cells[0]:
            reason = f"engine built, {cells[0]['int8_mac_share']:.0%} of its products in INT8; its ONNX file: {reason}"
    options = variant.int8 | ({"keep_float": ", ".join(kept)} if (kept := kept_float(name, target)) else {})
    if int8 and options:
        reason += f" (with {', '.join(f'{k}: {v}' for k, v in options.items())})"
    return {"status": "refused" if refused else "ok", "reason": reason, "measured": cells}


def _overflow(cells: list[dict[str, Any]]) -> str:
    """Why int8 products overflow at 720×1280, when a matrix product sums over all pixels of the picture."""
    small, large = cells
    areas = [cell["height"] * cell["width"] for cell in cells]
    if not small.get("longest_sum") or small["longest_sum"] * areas[1] != large["longest_sum"] * areas[0]:
        return ""
    terms = small["longest_sum"] * 720 * 1280 // areas[0]
    if terms * 127**2 < 2**31:
        return ""
    return f"MatMul sums over all pixels: {terms} int8 products at 720×1280 reach {terms * 127**2:.1e}, more than 2^31"


def run_here(name: str, target: str, height: int, width: int) -> dict[str, Any]:
    from tools.matrix_cell import run_cell

    return {"height": height, "width": width, **run_cell(name, target, height, width)}


def run_child(name: str, target: str, height: int, width: int) -> dict[str, Any]:
    """One cell in a process with a clock and a memory limit. Its last line of output is its verdict."""
    from tools.matrix_cell import LARGEST_BYTES

    started = time.monotonic()
    command = [sys.executable, str(Path(__file__)), "--cell", name, target, str(height), str(width)]
    child = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(_limit, SECONDS, LARGEST_BYTES),
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    too_long = {"status": "refused", "reason": f"conversion takes longer than {SECONDS // 60} minutes"}
    try:
        out, error = child.communicate(timeout=6 * SECONDS)
        cell: dict[str, Any] = json.loads(out.strip().splitlines()[-1]) if out.strip() else crash(child, error)
        if child.returncode == -signal.SIGXCPU:
            cell = too_long
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, 9)
        child.communicate()
        cell = too_long
    except json.JSONDecodeError:
        cell = crash(child, error)
    return {"height": height, "width": width, **cell, "seconds": round(time.monotonic() - started, 1)}


def _limit(seconds: int, size_bytes: int) -> None:
    # Address space, not resident memory: engines reserve far more than they touch, hence the factor.
    resource.setrlimit(resource.RLIMIT_AS, (4 * size_bytes, 4 * size_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 10))


def crash(child: subprocess.Popen[str], error: str) -> dict[str, Any]:
    last = next((line.strip() for line in reversed(error.splitlines()) if line.strip()), "no word")
    return {"status": "refused", "reason": f"the converter crashed (exit status {child.returncode}): {last[:200]}"}


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
