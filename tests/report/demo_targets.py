"""The targets of a run as it might have been: what was measured of each file on its runtime, and how it was judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from exporter.artifact import Artifact
from exporter.inspect.results import Audit, Behind, Finding, Op, Residency
from exporter.judge.budget import Pledge, judge
from exporter.judge.verdicts import Verdict
from exporter.localise.results import LayerError, Localisation
from exporter.measure.load import Load
from exporter.measure.results import CrossRuntimeCheck, Latency, Parity, Seam, TargetResult, Timing
from exporter.not_measured import NotMeasured
from exporter.recipes.promises import Budget
from tests.report.demo_pictures import photos
from tests.report.demo_stages import EVALUATION_IMAGES, SIDE, STAGES, quality

ALSO_ON = {"tflite_int8": ("litert_gpu", "litert_arm")}


def measured_targets(
    files: dict[str, Artifact], rng: np.random.Generator, *, measured_old_runtime: bool
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
    for name, runtime, stage, device, median_ms in rows:
        _, precision, mean_db, parity_db = STAGES[stage]
        measured = measured_old_runtime or runtime != "tflite_runtime"
        absent = NotMeasured("tflite-runtime is not installed: pip install 'exporter[old-runtime]'")
        parity = Parity(EVALUATION_IMAGES, parity_db or 0, (parity_db or 0) + 1.7, 0.021, "maple-12")
        results.append(
            TargetResult(
                name,
                runtime,
                files[stage],
                parity if measured else absent,
                quality(mean_db, rng) if measured else absent,
                _latency(device, median_ms, rng) if measured else absent,
                _audit(precision),
                _findings(precision),
                Seam(2, 54.4, 0.02) if measured else absent,
                _layers(files[stage].path.parent) if stage == "quantize_tflite" else absent,
                _cross_runtime() if name in ALSO_ON else (),
                _residency(precision) if measured else absent,
            )
        )
    return tuple(results)


def _cross_runtime() -> tuple[CrossRuntimeCheck, ...]:
    """One engine that is here, one that is not."""
    gpu = "LiteRT 2.1.0 GPU in fp16 on software Vulkan llvmpipe, 2 threads, AMD EPYC 7B13"
    arm = NotMeasured("the ARM64 engine is not installed: exporter runtimes --install arm")
    return (
        CrossRuntimeCheck(
            "litert_gpu", gpu, Parity(2, 44.1, 44.6, 0.03, "maple-12"), 0.012, residency=Residency("GPU", gpu, 25, 25)
        ),
        CrossRuntimeCheck("litert_arm", "", arm, None, installed=False, residency=arm),
    )


def _residency(precision: str) -> Residency:
    """All of it, or without an operator that XNNPACK has not."""
    if precision == "int8":
        return Residency("XNNPACK", "XNNPACK", 25, 25)
    behind = Behind("RESIZE_NEAREST_NEIGHBOR", "/network/up/Resize", "up", "XNNPACK has no such operator")
    return Residency("XNNPACK", "XNNPACK and built-in kernels", 25, 24, (behind,))


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
    return Latency(device, 2, tuple(np.round(samples, 3).tolist()), 10, Load(2, 0.02, 0.4, (2900.0, 3000.0)))


def _layers(folder: Path) -> Localisation:
    """Twelve layers, the seventh of which clips; its maps are a photograph and the same photograph clipped."""
    layers = []
    for place in range(12):
        ruined = place == 6
        sqnr_db, own_db = (11.2, 11.9) if ruined else (34.0 - place if place < 6 else 12.0, 41.0 + place % 3)
        kind = "DEPTHWISE_CONV_2D" if place % 3 == 1 else "CONV_2D"
        int8_range = (-1.1, 1.0) if ruined else (-4.4, 4.0)
        clipped = 0.031 if ruined else 0.0
        layers.append(
            LayerError(
                kind, f"/network/body.{place}/Conv_output_0", (1, 128, 128, 16), "int8", sqnr_db, own_db,
                16.8 if ruined else 1.0, clipped, (-4.2, 3.9), int8_range, 21.5, 16, 16,
            )
        )  # fmt: skip
    exact = next(iter(photos().values()))[:128, :128].mean(axis=2) * 4
    rounded = np.minimum(exact, 2.0)
    file = folder / "layers.npz"
    np.savez(file, **{"6/float": exact, "6/int8": rounded, "6/error": np.abs(rounded - exact)})
    diagnosis = "CONV_2D '/network/body.6/Conv_output_0' loses 16.8 dB: its int8 range clips 3.1 % of the values"
    return Localisation(3, tuple(layers), (), (6, 0, 3, 9), 6, diagnosis, file)


def _findings(precision: str) -> tuple[Finding, ...]:
    if precision == "fp16":
        message = "fp16 weights are expanded by 14 DEQUANTIZE ops on CPU; this file is meant for the GPU delegate"
        return (Finding("note", "dequantize-on-cpu", message),)
    if precision == "int8":
        message = "the output tensor's scale 1/255 with zero point -128 maps every 8-bit pixel exactly"
        return (Finding("note", "pixel-exact-io", message),)
    return ()


def judged(targets: tuple[TargetResult, ...], missed: bool) -> tuple[Verdict, ...]:
    """What the recipe promised, judged as a run judges it."""
    pledges = {}
    for target in targets:
        int8 = target.artifact.precision == "int8"
        limits: dict[str, float] = {"min_parity_db": 40 if int8 else 60}
        if not isinstance(target.quality, NotMeasured):
            limits["max_loss_db"] = 0.12 if missed else 0.15
        pledges[target.name] = Pledge(target.runtime, Budget.model_validate(limits), ALSO_ON.get(target.name, ()))
    return judge(pledges, {target.name: target for target in targets})


def timings() -> tuple[Timing, ...]:
    return tuple(
        Timing(
            f"model.{precision}.tflite", precision, "litert_cpu", threads, Latency(f"LiteRT, {threads}", threads, (ms,))
        )
        for precision, ms in (("fp32", 9.0), ("fp16", 9.0), ("int8", 8.8))
        for threads in (1, 4)
    )
