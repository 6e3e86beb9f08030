"""What runs on this NVIDIA GPU, how exact is it, and how fast: torch, ONNX Runtime CUDA, TensorRT-RTX, TensorRT?

    python benchmarks/cuda.py                        # everything, at most 8 minutes, into benchmarks/cuda.json
    python benchmarks/cuda.py --prepare build/cuda   # without a GPU: models, engines, the CPU's pictures
    python benchmarks/cuda.py --run build/cuda       # with one: the measuring; needs torch and the engine

The shipped student at 256×256 and 720×1280. Each row is a process of its own, so that an engine that crashes takes no
other row with it; what cannot be measured says why. Rows are labelled by engine kind: a Q/DQ file that is computed in
float is "fake-quant" and never INT8. Every picture is compared with the CPU's: float files with PyTorch, quantised ones
with ONNX Runtime without graph optimisation of the same file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from record import record

from exporter.artifact import Artifact, Format, TensorSpec
from exporter.nvidia.gpu import find_gpu, missing_gpu

REPO = Path(__file__).parent.parent
WEIGHTS = REPO / "recipes" / "weights" / "mobilenetv3_student_m.safetensors"
SIZES = ((256, 256), (720, 1280))
RUNS, WARMUP, REPEATS = 200, 30, 2
SECONDS = 480.0
ROW_SECONDS = 150.0
ENGINE_SIZES = {"smallest": (256, 256), "optimal": (720, 1280), "largest": (736, 1280)}


@dataclass(frozen=True)
class Row:
    """One file on one runtime. `oracle` names the CPU's picture; `step` is the folder of the file."""

    name: str
    kind: str
    runtime: str
    step: str
    oracle: str


ROWS = (
    Row("torch", "torch-eager", "torch_cuda", "network", "torch"),
    Row("torch_channels_last", "torch-eager", "torch_cuda_channels_last", "network", "torch"),
    Row("torch_fp16", "torch-eager", "torch_cuda_fp16", "network", "torch"),
    Row("torch_graph", "torch-cuda-graph", "torch_cuda_graph", "network", "torch"),
    Row("rtx_fp32", "trt-rtx", "tensorrt_rtx", "rtx_fp32", "torch"),
    Row("rtx_fp16", "trt-rtx", "tensorrt_rtx", "rtx_fp16", "torch"),
    Row("rtx_int8", "trt-rtx", "tensorrt_rtx", "rtx_int8", "int8"),
    Row("rtx_int8_narrow", "trt-rtx", "tensorrt_rtx", "rtx_int8_narrow", "int8_narrow"),
    Row("rtx_int8_sm89", "trt-rtx", "tensorrt_rtx", "rtx_int8_sm89", "int8"),
    Row("rtx_int8_sm80", "trt-rtx", "tensorrt_rtx", "rtx_int8_sm80", "int8"),
    Row("tensorrt_fp16", "tensorrt", "tensorrt", "tensorrt_fp16", "torch"),
    Row("tensorrt_int8", "tensorrt", "tensorrt", "tensorrt_int8", "int8"),
    Row("ort_fp32", "ort-cuda", "onnxruntime_cuda", "fp32", "torch"),
    Row("ort_fake_quant", "fake-quant", "onnxruntime_cuda", "int8", "int8"),
    Row("torch_compile", "torch-compile", "torch_cuda_compile", "network", "torch"),  # minutes of tuning: last
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepare", type=Path, metavar="FOLDER")
    parser.add_argument("--run", type=Path, metavar="FOLDER")
    parser.add_argument("--row", nargs=2, metavar=("NAME", "FOLDER"), help="what each row's own process is told")
    args = parser.parse_args()
    if not (args.row or args.prepare) and (why := missing_gpu()):
        sys.stdout.write(f"{why}; benchmarks/cuda.json stays as it is\n")  # no GPU is no result
        return 0
    if args.row:
        row = next(row for row in ROWS if row.name == args.row[0])
        sys.stdout.write(json.dumps(measure_row(row, Path(args.row[1]))) + "\n")
        return 0
    started_s = time.monotonic()
    folder = args.prepare or args.run or REPO / "build" / "cuda"
    if not args.run:
        prepare(folder)
    if not args.prepare:
        record("cuda", report(folder, started_s))
    return 0


def report(folder: Path, started_s: float) -> dict[str, object]:
    """All rows, as many as the time allows."""
    rows = {}
    for row in ROWS:
        left_s = SECONDS - (time.monotonic() - started_s)
        rows[row.name] = {"kind": row.kind, "runtime": row.runtime} | _in_own_process(row, folder, left_s)
    seconds = round(time.monotonic() - started_s)
    return {"gpu": str(find_gpu()), "seconds": seconds, "runs": RUNS, "rows": rows, "ratios": ratios(rows)}


def _in_own_process(row: Row, folder: Path, left_s: float) -> dict[str, Any]:
    if left_s < 10:
        return {"not_measured": f"no time left of {SECONDS:.0f} s"}
    words = [sys.executable, __file__, "--row", row.name, str(folder)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=min(left_s, ROW_SECONDS))
    except subprocess.TimeoutExpired as expired:
        return {"not_measured": f"not done after {expired.timeout:.0f} s"}
    return answer(done.returncode, done.stdout, done.stderr)


def answer(code: int, out: str, err: str) -> dict[str, Any]:
    """What a row's process said; a process that crashed is "not measured" with its last words, never a figure."""
    lines = out.strip().splitlines()
    if code == 0 and lines:
        return dict(json.loads(lines[-1]))
    last = (err.strip().splitlines() or ["it said nothing"])[-1]
    return {"not_measured": f"its process ended with {code}: {last[:300]}"}


def ratios(rows: dict[str, Any]) -> dict[str, dict[str, float]]:
    """How much faster than PyTorch in fp16 and than the FP16 engine, where both were measured."""
    found: dict[str, dict[str, float]] = {}
    for base in ("torch_fp16", "rtx_fp16"):
        for name, row in rows.items():
            for size, cell in row.get("sizes", {}).items():
                other = rows.get(base, {}).get("sizes", {}).get(size, {})
                if name != base and "p50_ms" in cell and "p50_ms" in other:
                    speedup = round(other["p50_ms"] / cell["p50_ms"], 2)
                    found.setdefault(f"{size} over {base}", {})[name] = speedup
    return found


def measure_row(row: Row, folder: Path) -> dict[str, Any]:
    """Parity and latency at every size, or why not."""
    from exporter.errors import ExportError
    from exporter.runtimes import runtime

    engine = runtime(row.runtime)
    if why := engine.missing():
        return {"not_measured": why}
    try:
        artifact = _artifact(row, folder)
        sizes = {}
        with engine.open(artifact, 1) as session:
            for height, width in SIZES:
                with np.load(folder / f"oracle_{height}x{width}.npz") as oracle:
                    image, expected = oracle["image"], oracle[row.oracle]
                cell: dict[str, object] = distance(session.infer(image), expected)
                repeats = [session.time_ms(image, RUNS, WARMUP) for _ in range(REPEATS)]
                sizes[f"{height}x{width}"] = cell | figures(repeats)
    except ExportError as error:  # refused by the engine, or no such engine could be built: a result, too
        return {"not_measured": str(error)}
    return {"device": engine.device(1), "sizes": sizes}


def distance(picture: np.ndarray, expected: np.ndarray) -> dict[str, object]:
    """How far from the CPU's picture: relative L2, largest difference, dB of full scale 1.0; NaN counted."""
    error = picture.astype(np.float64) - expected
    square = float(np.mean(error * error))
    return {
        "nan": int(np.isnan(picture).sum()),
        "relative_l2": float(np.linalg.norm(error) / np.linalg.norm(expected)),
        "max_abs": float(np.abs(error).max()),
        "psnr_db": None if square == 0 else round(float(-10 * np.log10(square)), 2),
    }


def figures(repeats: list[list[float]]) -> dict[str, object]:
    """Median and 90th percentile over everything, and how far the repeats' medians are apart."""
    samples = [ms for repeat in repeats for ms in repeat]
    medians = [median(repeat) for repeat in repeats]
    noise = (max(medians) - min(medians)) / median(medians)
    p90_ms = float(np.percentile(samples, 90))
    return {"p50_ms": round(median(samples), 4), "p90_ms": round(p90_ms, 4), "noise": round(noise, 3)}


def _artifact(row: Row, folder: Path) -> Artifact:
    """The row's file; TensorRT's engines are built here, on the GPU they are for."""
    description = folder / row.step / "artifact.json"
    if row.runtime == "tensorrt" and not description.exists():
        from exporter.stages.build_tensorrt import BuildTensorrt

        source = _open(folder, row.step.removeprefix("tensorrt_"))
        _step(BuildTensorrt(builder="tensorrt", **ENGINE_SIZES), source, folder, row.step)
    return _open(folder, row.step)


def prepare(folder: Path) -> None:
    """Network, ONNX files, TensorRT-RTX engines, and the CPU's pictures. No GPU is needed."""
    from exporter.stages.build_tensorrt import BuildTensorrt
    from exporter.stages.quantize_onnx import QuantizeOnnx
    from exporter.stages.simplify_onnx import SimplifyOnnx
    from exporter.stages.torch_to_onnx import TorchToOnnx

    network = _network(folder)
    plain = _step(SimplifyOnnx(), _step(TorchToOnnx(), network, folder, "exported"), folder, "simplified")
    int8 = {"engine": "tensorrt", "remainder": "fp16", "any_size": True}
    files = {
        "fp32": QuantizeOnnx(engine="tensorrt", precision="fp32", any_size=True),
        "fp16": QuantizeOnnx(engine="tensorrt", precision="fp16", any_size=True),
        "int8": QuantizeOnnx(**int8),
        "int8_narrow": QuantizeOnnx(**int8, narrow="int8"),
    }
    made = {name: _step(stage, plain, folder, name) for name, stage in files.items()}
    for name, artifact in made.items():
        _step(BuildTensorrt(**ENGINE_SIZES), artifact, folder, f"rtx_{name}")
    for target in ("8.9", "8.0"):
        stage = BuildTensorrt(**ENGINE_SIZES, compute_capability=target)
        _step(stage, made["int8"], folder, f"rtx_int8_sm{target.replace('.', '')}")
    _write_oracles(folder, network, made)


def _network(folder: Path) -> Artifact:
    from exporter.checkpoints.fit import load_into
    from exporter.checkpoints.read import read_weights
    from exporter.generators.build import build_network, generator_info
    from exporter.generators.network_file import Description, write_network

    info = generator_info("mobilenetv3_student")
    network = build_network(info, {"preset": "m"})
    load_into(network, read_weights(WEIGHTS), WEIGHTS, info.name)
    path = folder / "network" / "network.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_network(network, Description(info.name, {"preset": "m"}, info.range, info.multiple), path)
    spec = TensorSpec.image(*SIZES[0])
    base = Artifact(Format.TORCH, path, spec, spec, "")
    return _keep(Artifact.of_file(path, Format.TORCH, like=base, step="shipped weights"))


def _step(stage: Any, source: Artifact, folder: Path, name: str) -> Artifact:
    from exporter.data.calibration import open_calibration
    from exporter.progress import Silent
    from exporter.stages import Workspace

    inner = folder / name
    inner.mkdir(parents=True, exist_ok=True)
    calibration = open_calibration(REPO / "calibration" / "photos_256", *SIZES[0])
    return _keep(stage.run(source, Workspace(inner, source, calibration, None, 0, Silent(), nullcontext)))


def _keep(artifact: Artifact) -> Artifact:
    artifact.path.with_name("artifact.json").write_text(json.dumps(artifact.to_record()))
    return artifact


def _open(folder: Path, name: str) -> Artifact:
    return Artifact.from_record(json.loads((folder / name / "artifact.json").read_text()), folder / name)


def _write_oracles(folder: Path, network: Artifact, made: dict[str, Artifact]) -> None:
    """What the CPU makes of one photograph at each size: `image`, `torch`, and every quantised file by its name."""
    import onnxruntime

    from exporter.runtimes import runtime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    for height, width in SIZES:
        image = _photograph(height, width)
        with runtime("torch_cpu").open(network, 2) as session:
            pictures = {"image": image, "torch": session.infer(image)}
        for name in ("int8", "int8_narrow"):
            oracle = onnxruntime.InferenceSession(str(made[name].path), options, providers=["CPUExecutionProvider"])
            pictures[name] = oracle.run(None, {"input": image[None]})[0][0]
        np.savez(folder / f"oracle_{height}x{width}.npz", **pictures)


def _photograph(height: int, width: int) -> np.ndarray:
    """A photograph of the evaluation set, mirrored until it fills the size."""
    from exporter.data.images import read_image

    image = read_image(next(iter(sorted((REPO / "calibration" / "evaluation_256" / "blurred").glob("*.png")))))
    rows, columns = (max(0, wanted - have) for wanted, have in zip((height, width), image.shape, strict=False))
    filled = np.pad(image, ((0, rows), (0, columns), (0, 0)), mode="symmetric")
    return np.ascontiguousarray(filled[:height, :width], np.float32)


if __name__ == "__main__":
    sys.exit(main())
