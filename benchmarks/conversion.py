"""Is our ONNX → fp32, fp16 and INT8 TFLite faster than the onnx2tf command line, and are the files?

    .venv/bin/python benchmarks/conversion.py

Same student weights, same calibration images, one run. Compared with `onnx2tf -oiqt` as it comes on
  plain      the same student, exported NCHW by torch.onnx
  hard_swish a full MobileNetV3 student (squeeze-excite, hard-swish) left as it is, random weights
Writes benchmarks/conversion.json: seconds, and LiteRT latency (2 threads) of every file, with the ratios.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from record import record

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.checkpoints.fit import load_into
from exporter.checkpoints.read import read_weights
from exporter.data.calibration import CalibrationSet, open_calibration
from exporter.generators.mobilenetv3_student import MobileNetV3Student
from exporter.generators.network_file import Description, read_network, write_network
from exporter.inspect.model_file import artifact_of_file
from exporter.measure.latency import Call, time_calls
from exporter.measure.results import Latency
from exporter.progress import Silent
from exporter.runtimes import runtime
from exporter.stages import Stage, Workspace
from exporter.stages.onnx_to_tflite import OnnxToTflite
from exporter.stages.quantize_tflite import QuantizeTflite
from exporter.stages.simplify_onnx import SimplifyOnnx
from exporter.stages.torch_to_onnx import TorchToOnnx

REPO = Path(__file__).parent.parent
WEIGHTS = REPO / "recipes" / "weights" / "mobilenetv3_student_m.safetensors"
SIDE = 256
RUNS = 100


def main() -> None:
    calibration = open_calibration(REPO / "calibration" / "photos_256", SIDE, SIDE)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        student = _student_file(folder / "student.safetensors", {"preset": "m"}, WEIGHTS)
        hard = {"preset": "m", "activation": "hard_swish", "squeeze_excite": True}
        hard_swish = _student_file(folder / "hard_swish.safetensors", hard, None)
        files, ours_s = _ours(student, calibration, folder / "ours")
        seconds = {"ours": ours_s}
        for name, source in (("plain", student), ("hard_swish", hard_swish)):
            peer_files, seconds[f"onnx2tf {name}"] = _onnx2tf(source, calibration, folder / name)
            files |= {f"onnx2tf {name} {precision}": path for precision, path in peer_files.items()}
        latency_ms = _latencies_ms(files, next(iter(calibration)))
    record(
        "conversion",
        {
            "runtime": runtime("litert_cpu").device(2),
            "calibration_images": len(calibration),
            "seconds": {name: round(value, 1) for name, value in seconds.items()},
            "conversion_speedup": round(seconds["onnx2tf plain"] / seconds["ours"], 2),
            "latency_p50_ms": {name: round(value, 2) for name, value in latency_ms.items()},
            "int8_speedup_over_own_fp32": round(latency_ms["ours fp32"] / latency_ms["ours int8"], 2),
            "int8_speedup_over_onnx2tf_hard_swish": round(
                latency_ms["onnx2tf hard_swish int8"] / latency_ms["ours int8"], 2
            ),
            "int8_speedup_over_onnx2tf_plain": round(latency_ms["onnx2tf plain int8"] / latency_ms["ours int8"], 2),
        },
    )


def _student_file(path: Path, kwargs: dict[str, object], weights: Path | None) -> Artifact:
    torch.manual_seed(0)
    network = MobileNetV3Student(**kwargs)
    if weights is None:
        torch.nn.init.normal_(network.head.weight, std=0.02)
    else:
        load_into(network, read_weights(weights), weights, "mobilenetv3_student")
    write_network(network, Description("mobilenetv3_student", kwargs, (0.0, 1.0), 16), path)
    spec = TensorSpec.image(SIDE, SIDE)
    return Artifact(Format.TORCH, path, spec, spec, sha256_of(path))


def _ours(student: Artifact, calibration: CalibrationSet, folder: Path) -> tuple[dict[str, Path], float]:
    """Our three files, and the seconds from the ONNX file on."""

    def run(stage: Stage, source: Artifact) -> Artifact:
        inner = folder / f"{stage.name}_{stage.model_dump().get('precision', '')}"
        inner.mkdir(parents=True)
        workspace = Workspace(inner, student, calibration, None, 0, Silent(), nullcontext)
        return stage.run(source, workspace)

    onnx = run(SimplifyOnnx(), run(TorchToOnnx(), student))
    started_s = time.monotonic()
    fp32 = run(OnnxToTflite(), onnx)
    fp16 = run(QuantizeTflite(precision="fp16"), fp32)
    int8 = run(QuantizeTflite(precision="int8"), fp32)
    seconds = time.monotonic() - started_s
    return {"ours fp32": fp32.path, "ours fp16": fp16.path, "ours int8": int8.path}, seconds


def _onnx2tf(student: Artifact, calibration: CalibrationSet, folder: Path) -> tuple[dict[str, Path], float]:
    """What `onnx2tf -oiqt` makes of a plain torch.onnx export, and its seconds."""
    folder.mkdir()
    network = read_network(student.path)
    names = {"input_names": ["input"], "output_names": ["output"], "opset_version": 18, "dynamo": False}
    torch.onnx.export(network, (torch.zeros(1, 3, SIDE, SIDE),), str(folder / "model.onnx"), **names)
    np.save(folder / "calibration.npy", np.stack(list(calibration)))
    # Without this file in the working directory onnx2tf downloads pictures for its own checks.
    offline = np.zeros((20, 128, 128, 3), np.float32)
    np.save(folder / "calibration_image_sample_data_20x128x128x3_float32.npy", offline)
    words = [
        "-i",
        "model.onnx",
        "-oiqt",
        "-cind",
        "input",
        "calibration.npy",
        "[[[[0,0,0]]]]",
        "[[[[1,1,1]]]]",
        "-o",
        "out",
    ]
    started_s = time.monotonic()
    tool = Path(sys.executable).with_name("onnx2tf")
    subprocess.run([str(tool), *words], cwd=folder, check=True, capture_output=True)
    seconds = time.monotonic() - started_s
    files = {"fp32": "model_float32.tflite", "int8": "model_full_integer_quant.tflite"}
    return {precision: folder / "out" / name for precision, name in files.items()}, seconds


def _latencies_ms(files: dict[str, Path], image: np.ndarray) -> dict[str, float]:
    engine = runtime("litert_cpu")
    calls = [Call(engine, artifact_of_file(path), 2, image) for path in files.values()]
    measured = time_calls(calls, RUNS, 10)
    return {name: one.p50_ms for name, one in zip(files, measured, strict=True) if isinstance(one, Latency)}


if __name__ == "__main__":
    main()
