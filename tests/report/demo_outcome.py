"""A finished run as it might have been: realistic figures, real photographs, no engine needed.

The "networks" are unsharp masks over a Gaussian blur: what the page shows is a picture of the page,
not of any model.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exporter.artifact import Artifact, Format, TensorSpec, sha256_of
from exporter.tiling.grid import Tiling
from exporter.verify.results import (
    Audit,
    Coverage,
    Finding,
    Latency,
    LayerError,
    Localisation,
    NotMeasured,
    Op,
    Outcome,
    Parity,
    Picture,
    Quality,
    Rung,
    Seam,
    TargetResult,
    Tiled,
    Timing,
    Verdict,
)

PHOTOS = Path(__file__).parent / "photos"
SIDE = 256
NHWC = TensorSpec.image(SIDE, SIDE, "NHWC")
INT8 = replace(NHWC, dtype="int8", scale=1 / 255, zero_point=-128)
EVALUATION_IMAGES = 40

# rung name: (format, precision, mean quality in dB, worst parity in dB)
LADDER: dict[str, tuple[Format, str, float, float | None]] = {
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


def demo_outcome(folder: Path, *, name: str = "mobile_deblur", missed: bool = False) -> Outcome:
    """An outcome whose files lie in `folder`; with `missed`, one promise is broken and one not measured."""
    rng = np.random.default_rng(7)
    sharp = {path.stem: _photo(path) for path in sorted(PHOTOS.glob("*.jpg"))}
    artifacts = _artifacts(folder / "stages")
    targets = _targets(artifacts, rng, measured_old_runtime=not missed)
    return Outcome(
        name=name,
        version="1.0.0",
        recipe=_recipe(name),
        ladder=_ladder(artifacts, rng),
        targets=targets,
        verdicts=_verdicts(targets, missed),
        pictures=tuple(_picture(key, image, folder / "pictures", rng) for key, image in sharp.items()),
        coverage=Coverage(
            images=96,
            brightness=tuple(np.clip(rng.beta(2.2, 3.1, 96), 0, 1).tolist()),
            sharpness=tuple(np.exp(rng.normal(5.1, 1.2, 96)).tolist()),
            channel_min=0.0,
            channel_max=1.0,
        ),
        environment={
            "python": "3.11.9",
            "platform": "Linux x86_64",
            "cpu": "AMD EPYC 7B13",
            "cores": "2",
            "torch": "2.13.0",
            "onnx": "1.19.1",
            "onnx2tf": "1.29.24",
            "tensorflow": "2.19.0",
            "ai-edge-litert": "2.1.0",
            "onnxruntime": "1.23.0",
        },
        provenance=_provenance(),
        stage_seconds={
            "prune": 41.8,
            "distill": 96.3,
            "torch_to_onnx": 6.1,
            "simplify_onnx": 0.9,
            "onnx_to_tflite fp32": 13.7,
            "quantize_tflite": 9.4,
            "quantize_onnx": 7.2,
            "verify": 58.0,
        },
        tiled=Tiled(Tiling(SIDE, SIDE, 48, 16, 48), 288, None, images=8, psnr_db=56.2, max_abs=0.031),
        timings=_timings(),
        notes={"prune": {"macs_before": 4_010_000_000, "macs_after": 2_120_000_000, "round_to": 8}},
    )


def _photo(path: Path) -> NDArray[np.float32]:
    from PIL import Image

    return np.asarray(Image.open(path).convert("RGB"), dtype=np.float32) / 255


def _blur(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(image, (sigma, sigma, 0)), dtype=np.float32)


def _picture(name: str, sharp: NDArray[np.float32], folder: Path, rng: np.random.Generator) -> Picture:
    blurred = _blur(sharp, 2.2)
    student = blurred + 1.5 * (blurred - _blur(blurred, 2.0))
    teacher = blurred + 2.0 * (blurred - _blur(blurred, 2.2))
    grain = rng.normal(0, 0.02, sharp.shape) * (0.1 + 4 * np.abs(student - blurred))
    images = {
        "blurred": blurred,
        "teacher": teacher,
        "distill": student,
        "onnx_to_tflite fp32": student,
        "quantize_tflite": np.round((student + grain) * 127) / 127,
        "sharp": sharp,
    }
    return Picture(name, {rung: _png(image, folder / f"{name}.{rung}.png") for rung, image in images.items()})


def _png(image: NDArray[np.float32], path: Path) -> Path:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)).save(path)
    return path


def _artifacts(folder: Path) -> dict[str, Artifact]:
    folder.mkdir(parents=True, exist_ok=True)
    made: dict[str, Artifact] = {}
    for rung, (format, precision, _, _) in LADDER.items():
        path = folder / f"{rung.replace(' ', '.')}.{format}"
        size_bytes = {"fp32": 620_000, "fp16": 318_000, "int8": 196_000}[precision]
        path.write_bytes(rung.encode() * (size_bytes // len(rung)))
        spec = INT8 if precision == "int8" and format == Format.TFLITE else NHWC
        history = (*(made[PARENTS[rung]].history if rung in PARENTS else ()), rung)
        made[rung] = Artifact(format, path, spec, spec, sha256_of(path), precision, history)  # type: ignore[arg-type]
    return made


def _quality(mean_db: float, each_db: NDArray[np.float64]) -> Quality:
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


def _ladder(artifacts: dict[str, Artifact], rng: np.random.Generator) -> tuple[Rung, ...]:
    sizes = {"teacher": (3_312_000, 4_010_000_000), "prune": (1_604_000, 2_120_000_000)}
    rungs = []
    for name, (format, _, mean_db, parity_db) in LADDER.items():
        parity = None
        if parity_db is not None:
            parity = Parity(EVALUATION_IMAGES, parity_db, parity_db + 1.7, 10 ** (-parity_db / 20) * 4, "maple-12")
        parameters, macs = sizes.get(name, (154_000, 291_000_000))
        quality = _quality(mean_db, _each_db(mean_db, rng))
        rungs.append(Rung(name, artifacts[name], RUNTIMES[format], quality, parity, parameters, macs))
    return tuple(rungs)


def _audit(precision: str) -> Audit:
    dtype = "int8" if precision == "int8" else "float32"
    ops = [Op("CONV_2D", dtype, (1, 128 >> level, 128 >> level, 16 << level), 17_000_000) for level in range(4)]
    ops += [Op("DEPTHWISE_CONV_2D", dtype, (1, 64, 64, 48), 4_100_000) for _ in range(11)]
    ops += [Op("ADD", dtype, (1, 64, 64, 24), 0) for _ in range(6)]
    ops += [Op("RESIZE_NEAREST_NEIGHBOR", dtype, (1, 64, 64, 24), 0) for _ in range(3)]
    ops += [Op("DEPTH_TO_SPACE", dtype, (1, SIDE, SIDE, 3), 0)]
    if precision == "fp16":
        ops = [Op("DEQUANTIZE", "float16", (3, 3, 1, 48), 0)] * 14 + ops
    macs = sum(op.macs for op in ops)
    return Audit(tuple(ops), macs, 1.0 if precision == "int8" else 0.0, 0, 4)


def _latency(device: str, median_ms: float, rng: np.random.Generator) -> Latency:
    samples = median_ms * (1 + rng.gamma(1.1, 0.04, 60))
    return Latency(device, 2, tuple(np.round(samples, 3).tolist()))


def _timings() -> tuple[Timing, ...]:
    return tuple(
        Timing(
            f"model.{precision}.tflite", precision, "litert_cpu", threads, Latency(f"LiteRT, {threads}", threads, (ms,))
        )
        for precision, ms in (("fp32", 9.0), ("fp16", 9.0), ("int8", 8.8))
        for threads in (1, 4)
    )


def _targets(
    artifacts: dict[str, Artifact], rng: np.random.Generator, *, measured_old_runtime: bool
) -> tuple[TargetResult, ...]:
    litert = "LiteRT 2.1.0 XNNPACK, 2 threads, AMD EPYC 7B13"
    old = "tflite-runtime 2.14.0, 2 threads, AMD EPYC 7B13"
    ort = "ONNX Runtime 1.23.0, 2 threads, AMD EPYC 7B13"
    rows = [
        ("tflite_fp32", "litert_cpu", "onnx_to_tflite fp32", litert, 6.3),
        ("tflite_fp16", "litert_cpu", "onnx_to_tflite fp16", litert, 6.4),
        ("tflite_int8", "litert_cpu", "quantize_tflite", litert, 3.8),
        ("tflite_int8_old", "tflite_runtime", "quantize_tflite", old, 82.0),
        ("onnx_int8", "onnxruntime_cpu", "quantize_onnx", ort, 7.9),
    ]
    results = []
    for name, runtime, rung, device, median_ms in rows:
        _, precision, mean_db, parity_db = LADDER[rung]
        measured = measured_old_runtime or runtime != "tflite_runtime"
        absent = NotMeasured("tflite-runtime is not installed: pip install 'exporter[old-runtime]'")
        parity = Parity(EVALUATION_IMAGES, parity_db or 0, (parity_db or 0) + 1.7, 0.021, "maple-12")
        results.append(
            TargetResult(
                name,
                runtime,
                artifacts[rung],
                parity if measured else absent,
                _quality(mean_db, _each_db(mean_db, rng)) if measured else absent,
                _latency(device, median_ms, rng) if measured else absent,
                _audit(precision),
                _findings(precision),
                Seam(2, 54.4, 0.02) if measured else absent,
                _layers(artifacts[rung].path.parent) if rung == "quantize_tflite" else absent,
            )
        )
    return tuple(results)


def _layers(folder: Path) -> Localisation:
    """Twelve layers, the seventh of which clips; its maps are a photograph and the same photograph clipped."""
    layers = []
    for place in range(12):
        ruined = place == 6
        sqnr_db, own_db = (11.2, 11.9) if ruined else (34.0 - place if place < 6 else 12.0, 41.0 + place % 3)
        kind = "DEPTHWISE_CONV_2D" if place % 3 == 1 else "CONV_2D"
        code = (-1.1, 1.0) if ruined else (-4.4, 4.0)
        clipped = 0.031 if ruined else 0.0
        layers.append(
            LayerError(
                kind, f"/network/body.{place}/Conv_output_0", (1, 128, 128, 16), "int8", sqnr_db, own_db,
                16.8 if ruined else 1.0, clipped, (-4.2, 3.9), code, 21.5, 16, 16,
            )
        )  # fmt: skip
    exact = _photo(sorted(PHOTOS.glob("*.jpg"))[0])[:128, :128].mean(axis=2) * 4
    rounded = np.minimum(exact, 2.0)
    file = folder / "layers.npz"
    np.savez(file, **{"6/float": exact, "6/int8": rounded, "6/error": np.abs(rounded - exact)})
    diagnosis = "CONV_2D '/network/body.6/Conv_output_0' loses 16.8 dB: its code clips 3.1 % of the values"
    return Localisation(3, tuple(layers), (), (6, 0, 3, 9), 6, diagnosis, file)


def _findings(precision: str) -> tuple[Finding, ...]:
    if precision == "fp16":
        message = "fp16 weights are expanded by 14 DEQUANTIZE ops on CPU; this file is meant for the GPU delegate"
        return (Finding("note", "dequantize-on-cpu", message),)
    if precision == "int8":
        message = "the output tensor's scale 1/255 with zero point -128 maps every 8-bit pixel exactly"
        return (Finding("note", "pixel-exact-io", message),)
    return ()


def _verdicts(targets: tuple[TargetResult, ...], missed: bool) -> tuple[Verdict, ...]:
    verdicts = []
    for target in targets:
        limit = 40.0 if target.artifact.precision == "int8" else 60.0
        if isinstance(target.parity, NotMeasured):
            sentence = f"{target.name}: parity was not measured: {target.parity.reason}"
            verdicts.append(Verdict(target.name, "min_parity_db", limit, None, "not measured", sentence))
        else:
            worst = target.parity.worst_psnr_db
            sentence = f"{target.name}: worst parity {worst:.1f} dB on maple-12, promised at least {limit:.0f} dB"
            verdicts.append(Verdict(target.name, "min_parity_db", limit, worst, "kept", sentence))
        if not isinstance(target.quality, NotMeasured):
            loss, limit = target.quality.loss_db, 0.12 if missed else 0.15
            status = "kept" if loss <= limit else "missed"
            sentence = f"{target.name}: loses {loss:.2f} dB against its float model, promised at most {limit} dB"
            verdicts.append(Verdict(target.name, "max_loss_db", limit, loss, status, sentence))
    return tuple(verdicts)


def _recipe(name: str) -> dict[str, object]:
    return {
        "name": name,
        "version": "1.0.0",
        "model": {"arch": "deblurgan_v2_fpn_mobilenet", "checkpoint": "weights/teacher.safetensors"},
        "data": {"calibration": "calibration/photos", "evaluation": "calibration/evaluation"},
        "stages": {"prune": {"ratio": 0.4, "round_to": 8}, "distill": {"steps": 400, "preset": "s"}},
        "targets": {
            "tflite_int8": {
                "runtime": "litert_cpu",
                "chain": ["prune", "distill", "torch_to_onnx", "onnx_to_tflite", "quantize_tflite"],
            }
        },
        "budget": {"min_parity_db": {"int8": 40, "float": 60}, "max_loss_db": 0.15},
    }


def _provenance() -> dict[str, object]:
    return {
        "weights": {
            "file": "teacher.safetensors",
            "sha256": "3f5a" * 16,
            "licence": "Apache-2.0",
            "source": "trained by this project, see its card",
        },
        "calibration": {"set": "photos", "images": 96, "licence": "BSD-2-Clause, MIT", "sha256": "9c01" * 16},
        "evaluation": {
            "set": "evaluation",
            "images": EVALUATION_IMAGES,
            "licence": "BSD-2-Clause",
            "sha256": "77ab" * 16,
        },
    }
