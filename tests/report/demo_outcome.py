"""A finished run as it might have been: realistic figures, real photographs, no engine needed.

The "networks" are unsharp masks over a Gaussian blur: what the page shows is a picture of the page,
not of any model.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from exporter.data.calibration import Coverage
from exporter.judge.outcome import Outcome
from exporter.measure.results import Tiled
from exporter.tiling.grid import Tiling
from tests.report.demo_pictures import comparison, photos
from tests.report.demo_stages import EVALUATION_IMAGES, SIDE, artifacts, stages
from tests.report.demo_targets import judged, measured_targets, timings


def demo_outcome(folder: Path, *, name: str = "mobile_deblur", missed: bool = False) -> Outcome:
    """An outcome whose files lie in `folder`; with `missed`, one promise is broken and one not measured."""
    rng = np.random.default_rng(7)
    files = artifacts(folder / "stages")
    targets = measured_targets(files, rng, measured_old_runtime=not missed)
    return Outcome(
        name=name,
        version="1.0.0",
        recipe=_recipe(name),
        stages=stages(files, rng),
        targets=targets,
        verdicts=judged(targets, missed),
        pictures=tuple(comparison(key, image, folder / "pictures", rng) for key, image in photos().items()),
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
        timings=timings(),
        notes={"prune": {"macs_before": 4_010_000_000, "macs_after": 2_120_000_000, "round_to": 8}},
    )


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
