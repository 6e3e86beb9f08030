"""The stages of a run as it might have been: its files, the quality and the parity of each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.measure.results import Parity, Quality, StageAccuracy

SIDE = 256
NHWC = TensorSpec.image(SIDE, SIDE, "NHWC")
INT8 = replace(NHWC, dtype="int8", scale=1 / 255, zero_point=-128)
EVALUATION_IMAGES = 40

# step name: (format, precision, mean quality in dB, worst parity in dB)
STAGES: dict[str, tuple[Format, str, float, float | None]] = {
    "teacher": (Format.TORCH, "fp32", 30.91, None),
    "prune": (Format.TORCH, "fp32", 30.83, None),
    "distill": (Format.TORCH, "fp32", 30.42, None),
    "torch_to_onnx": (Format.ONNX, "fp32", 30.42, 138.2),
    "onnx_to_tflite fp32": (Format.TFLITE, "fp32", 30.42, 136.0),
    "onnx_to_tflite fp16": (Format.TFLITE, "fp16", 30.42, 78.4),
    "quantize_tflite": (Format.TFLITE, "int8", 30.31, 47.9),
    "quantize_onnx": (Format.ONNX, "int8", 30.28, 45.6),
}
PARENTS = {
    "prune": "teacher",
    "distill": "prune",
    "torch_to_onnx": "distill",
    "onnx_to_tflite fp32": "torch_to_onnx",
    "onnx_to_tflite fp16": "torch_to_onnx",
    "quantize_tflite": "onnx_to_tflite fp32",
    "quantize_onnx": "torch_to_onnx",
}
RUNTIMES = {Format.TORCH: "torch_cpu", Format.ONNX: "onnxruntime_cpu", Format.TFLITE: "litert_cpu"}


def artifacts(folder: Path) -> dict[str, Artifact]:
    folder.mkdir(parents=True, exist_ok=True)
    made: dict[str, Artifact] = {}
    for stage, (format, precision, _, _) in STAGES.items():
        path = folder / f"{stage.replace(' ', '.')}.{format}"
        size_bytes = {"fp32": 620_000, "fp16": 318_000, "int8": 196_000}[precision]
        path.write_bytes(stage.encode() * (size_bytes // len(stage)))
        spec = INT8 if precision == "int8" and format == Format.TFLITE else NHWC
        history = (*(made[PARENTS[stage]].history if stage in PARENTS else ()), stage)
        made[stage] = Artifact(format, path, spec, spec, sha256_of(path), precision, history)  # type: ignore[arg-type]
    return made


def stages(files: dict[str, Artifact], rng: np.random.Generator) -> tuple[StageAccuracy, ...]:
    sizes = {"teacher": (3_312_000, 4_010_000_000), "prune": (1_604_000, 2_120_000_000)}
    stages = []
    for name, (format, _, mean_db, parity_db) in STAGES.items():
        parity = None
        if parity_db is not None:
            parity = Parity(EVALUATION_IMAGES, parity_db, parity_db + 1.7, 10 ** (-parity_db / 20) * 4, "maple-12")
        parameters, macs = sizes.get(name, (154_000, 291_000_000))
        stages.append(
            StageAccuracy(name, files[name], RUNTIMES[format], quality(mean_db, rng), parity, parameters, macs)
        )
    return tuple(stages)


def quality(mean_db: float, rng: np.random.Generator) -> Quality:
    each_db = _each_db(mean_db, rng)
    return Quality(
        images=EVALUATION_IMAGES,
        psnr_db=float(each_db.mean()),
        psnr_ci95_db=float(1.96 * each_db.std(ddof=1) / np.sqrt(each_db.size)),
        ssim=0.79 + (mean_db - 26) * 0.02,
        input_psnr_db=28.04,
        gain_db=float(each_db.mean()) - 28.04,
        worst_gain_db=0.42,
        worst_image="night-street-07",
        loss_db=30.42 - mean_db,
        worst_loss_db=(30.42 - mean_db) * 2.4,
        psnr_each_db=tuple(each_db.tolist()),
    )


def _each_db(mean_db: float, rng: np.random.Generator) -> NDArray[np.float64]:
    images = np.random.default_rng(1).normal(0, 2.1, EVALUATION_IMAGES)
    jitter = rng.normal(0, 0.3 * abs(mean_db - 30.91) + 1e-4, EVALUATION_IMAGES)
    return mean_db + images - images.mean() + jitter - jitter.mean()
