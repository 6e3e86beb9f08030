"""Which architecture reaches which target: every cell is a real conversion and a real run, in a process of its own.

    python tools/support_matrix.py                    # everything, into recipes/results/support_matrix.json
    python tools/support_matrix.py --only nafnet,srn  # these rows again, the others kept
    python tools/support_matrix.py --cell nafnet onnx 64 64   # one cell, its verdict as JSON (what the parent runs)

Each architecture is a small network with all its kinds of layers and seeded weights, or the full one with the weights
trained here where there are any (tools/generator_variants.py), at two sizes, one of them not square. Parity is measured
against PyTorch on pictures that calibration has not seen. A cell has five minutes and 8 GB; what it exceeds or raises
becomes the verdict, with the operator that stands in the way.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.stages import Workspace

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "recipes" / "results" / "support_matrix.json"
PACKAGED = ROOT / "exporter" / "generators" / "support_matrix.json"

# ONNX must give PyTorch's picture to 1e-4 of full scale; a float TFLite file to 80 dB; one with fp16 weights to 60 dB;
# INT8 to 30 dB. That is below what a trained network needs: most weights are random and a deep stack of them amplifies
# rounding. The measured figure is in the reason.
TARGETS: dict[str, tuple[str, ...]] = {
    "onnx": ("torch_to_onnx", "simplify_onnx"),
    "ort_int8": ("torch_to_onnx", "simplify_onnx", "quantize_onnx"),
    "tflite_fp32": ("torch_to_onnx", "simplify_onnx", "onnx_to_tflite"),
    "tflite_fp16": ("torch_to_onnx", "simplify_onnx", "onnx_to_tflite", "quantize_tflite precision=fp16"),
    "tflite_int8": ("torch_to_onnx", "simplify_onnx", "onnx_to_tflite", "quantize_tflite"),
}
LOWEST_PSNR_DB = {"onnx": 80.0, "ort_int8": 30.0, "tflite_fp32": 80.0, "tflite_fp16": 60.0, "tflite_int8": 30.0}
HIGHEST_ONNX_DIFFERENCE = 1e-4
SECONDS, BYTES = 300, 8 << 30


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="architectures, separated by commas")
    parser.add_argument("--targets", default=",".join(TARGETS), help="targets, separated by commas")
    parser.add_argument("--cell", nargs=4, metavar=("NAME", "TARGET", "HEIGHT", "WIDTH"))
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    if args.cell:
        name, target, height, width = args.cell
        sys.stdout.write(json.dumps(run_cell(name, target, int(height), int(width))) + "\n")
        return 0
    return fill(set(filter(None, args.only.split(","))), [t for t in args.targets.split(",") if t])


def fill(only: set[str], targets: list[str]) -> int:
    """Run the cells and write the matrix after each row, so that an interrupted run loses little."""
    from exporter.generators import GENERATORS
    from tools.generator_variants import VARIANTS

    for info in GENERATORS:
        if only and info.name not in only:
            continue
        row: dict[str, Any] = _read_rows().get(info.name, {"name": info.name, "targets": {}})
        row["licence"] = info.licence
        for target in targets:
            cells = [run_child(info.name, target, *size) for size in VARIANTS[info.name].sizes]
            row["targets"][target] = verdict(info.name, target, cells)
            say(f"{info.name:24} {target:12} {row['targets'][target]['status']:8} {row['targets'][target]['reason']}")
        rows = _read_rows() | {info.name: row}  # read again: another run may have filled other rows meanwhile
        ordered = [rows[known.name] for known in GENERATORS if known.name in rows]
        text = json.dumps(ordered, indent=1, ensure_ascii=False) + "\n"
        for path in (RESULTS, PACKAGED):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".new").write_text(text)
            path.with_suffix(".new").replace(path)
    return 0


def _read_rows() -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in json.loads(RESULTS.read_text())} if RESULTS.exists() else {}


def verdict(name: str, target: str, cells: list[dict[str, Any]]) -> dict[str, Any]:
    """Both sizes together: refused when either is, with that one's reason."""
    from tools.generator_variants import VARIANTS

    refused = next((cell["reason"] for cell in cells if cell["status"] != "ok"), "")
    int8 = target.endswith("int8")
    refused = refused or (int8 and _overflow(cells)) or ""
    reason = refused
    if not refused:
        worst = min(cell["psnr_db"] for cell in cells)
        largest = max(cell["largest_difference"] for cell in cells)
        reason = f"parity {worst:.1f} dB, largest difference {largest:.1e}"
    if int8 and VARIANTS[name].int8:
        reason += f" (with {', '.join(f'{k}: {v}' for k, v in VARIANTS[name].int8.items())})"
    return {"status": "refused" if refused else "ok", "reason": reason, "measured": cells}


def _overflow(cells: list[dict[str, Any]]) -> str:
    """Why int8 products overflow at 720×1280, when a matrix product sums over all pixels of the picture."""
    small, large = cells
    areas = [cell["height"] * cell["width"] for cell in cells]
    if not small["longest_sum"] or small["longest_sum"] * areas[1] != large["longest_sum"] * areas[0]:
        return ""
    terms = small["longest_sum"] * 720 * 1280 // areas[0]
    if terms * 127**2 < 2**31:
        return ""
    return f"MatMul sums over all pixels: {terms} int8 products at 720×1280 reach {terms * 127**2:.1e}, more than 2^31"


def run_child(name: str, target: str, height: int, width: int) -> dict[str, Any]:
    """One cell in a process with a clock and a memory limit. Its last line of output is its verdict."""
    started = time.monotonic()
    command = [sys.executable, str(Path(__file__)), "--cell", name, target, str(height), str(width)]
    child = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_limit_memory,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    try:
        out, error = child.communicate(timeout=SECONDS)
        cell: dict[str, Any] = json.loads(out.strip().splitlines()[-1]) if out.strip() else crash(child, error)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, 9)
        child.communicate()
        cell = {"status": "refused", "reason": f"conversion takes longer than {SECONDS // 60} minutes"}
    except json.JSONDecodeError:
        cell = crash(child, error)
    return {"height": height, "width": width, **cell, "seconds": round(time.monotonic() - started, 1)}


def crash(child: subprocess.Popen[str], error: str) -> dict[str, Any]:
    last = next((line.strip() for line in reversed(error.splitlines()) if line.strip()), "no word")
    return {"status": "refused", "reason": f"the converter crashed (exit status {child.returncode}): {last[:200]}"}


def _limit_memory() -> None:
    # Address space, not resident memory: engines reserve far more than they touch, hence the factor.
    resource.setrlimit(resource.RLIMIT_AS, (4 * BYTES, 4 * BYTES))


def run_cell(name: str, target: str, height: int, width: int) -> dict[str, Any]:
    """Convert, run and compare. Errors of ours are verdicts; others are bugs and end the process."""
    from exporter.errors import ExportError

    with tempfile.TemporaryDirectory(prefix="matrix-") as folder:
        try:
            largest, psnr_db, longest_sum = _measure(name, target, height, width, Path(folder))
        except ExportError as error:
            return {"status": "refused", "reason": str(error).splitlines()[0]}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    cell: dict[str, Any] = {"largest_difference": largest, "psnr_db": round(psnr_db, 1), "peak_mb": peak // 1024}
    cell["longest_sum"] = longest_sum
    if target == "onnx" and largest > HIGHEST_ONNX_DIFFERENCE:
        reason = f"largest difference {largest:.1e} of full scale, more than {HIGHEST_ONNX_DIFFERENCE:.0e}"
        return {"status": "refused", "reason": reason, **cell}
    if psnr_db < LOWEST_PSNR_DB[target]:
        return {
            "status": "refused",
            "reason": f"parity {psnr_db:.1f} dB, below {LOWEST_PSNR_DB[target]:.0f} dB",
            **cell,
        }
    if peak * 1024 > BYTES:
        return {"status": "refused", "reason": f"conversion needs {peak / 2**20:.1f} GB, more than 8", **cell}
    return {"status": "ok", "reason": "", **cell}


def _measure(name: str, target: str, height: int, width: int, folder: Path) -> tuple[float, float, int]:
    """Largest difference and PSNR in dB between the target's file and PyTorch, over two pictures.

    Third, the number of terms of the longest sum in a matrix product of two activations; 0 without any.
    """
    import numpy as np
    import torch

    from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
    from exporter.generators import load_network
    from exporter.stages.self_check import run_onnx, run_tflite
    from tools.matrix_inputs import network_file, picture_of

    path = network_file(name, target.endswith("int8"), folder, height, width)
    network = load_network(path)
    pictures = [picture_of(seed, height, width) for seed in (100, 101)]
    with torch.no_grad():
        expected = [network(torch.from_numpy(p.transpose(0, 3, 1, 2).copy())).numpy() for p in pictures]
    out = TensorSpec.image(*expected[0].shape[2:])
    artifact = Artifact(Format.TORCH, path, TensorSpec.image(height, width), out, sha256_of(path))
    longest_sum = 0
    for stage, workspace in _stages(target, folder, artifact, height, width):
        artifact = stage.run(artifact, workspace)
        if stage.name == "simplify_onnx":
            longest_sum = _longest_sum(artifact.path)
    content = artifact.path.read_bytes()
    made = [
        run_onnx(artifact.path, p) if artifact.format is Format.ONNX else run_tflite(content, p)[0] for p in pictures
    ]
    differences = np.stack([m - e.transpose(0, 2, 3, 1) for m, e in zip(made, expected, strict=True)]).astype(float)
    error = max(float((differences**2).mean()), 1e-20)
    return float(np.abs(differences).max()), -10 * float(np.log10(error)), longest_sum


def _longest_sum(path: Path) -> int:
    import onnx

    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    known = {t.name: [d.dim_value for d in t.type.tensor_type.shape.dim] for t in model.graph.value_info}
    products = (node for node in model.graph.node if node.op_type == "MatMul" and all(n in known for n in node.input))
    return max((known[node.input[0]][-1] for node in products), default=0)


def _stages(target: str, folder: Path, teacher: Any, height: int, width: int) -> Iterator[tuple[Any, Workspace]]:
    from exporter.progress import Silent
    from exporter.stages import STAGES, Workspace
    from tools.matrix_inputs import Pictures

    by_name = {stage.name: stage for stage in STAGES}
    for i, words in enumerate(TARGETS[target]):
        stage, *options = words.split()
        place = folder / str(i)
        place.mkdir()
        made = by_name[stage].model_validate(dict(option.split("=") for option in options))
        yield made, Workspace(place, teacher, Pictures(height, width), None, 0, Silent(), nullcontext)  # type: ignore[arg-type]


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
