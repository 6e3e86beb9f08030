"""A folder with a small but whole recipe: narrow teacher, small student, a dozen pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml

from tests.conftest import NARROW, picture

SIDE = 64
TINY_TRAINING = {"steps": 4, "batch": 2, "crop_px": 32, "warmup_steps": 1, "checkpoint_every": 1}


def write_recipe_folder(folder: Path, teacher: Path, **changes) -> Path:
    """The recipe's path; it prunes, distils and ends at a torch target. `changes` replace top-level keys."""
    from PIL import Image

    def save(path: Path, image: np.ndarray) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((image * 255 + 0.5).astype(np.uint8)).save(path)

    for seed in range(10):
        save(folder / "calibration" / f"{seed}.png", picture(100 + seed, SIDE, SIDE))
    for seed in range(3):
        save(folder / "evaluation" / "sharp" / f"{seed}.png", picture(200 + seed, SIDE, SIDE))
        save(folder / "evaluation" / "blurred" / f"{seed}.png", _box_blur(picture(200 + seed, SIDE, SIDE)))
        save(folder / "training" / f"{seed}.png", picture(300 + seed, 96, 96))
    recipe = {
        "name": "tiny",
        "version": "1.0",
        "model": {"arch": "deblurgan_v2_mobilenet", "checkpoint": str(teacher), "kwargs": NARROW},
        "input": {"height": SIDE, "width": SIDE},
        "data": {"calibration": "calibration", "evaluation": "evaluation", "training": "training"},
        "stages": [{"prune": dict(TINY_TRAINING)}, {"distill": TINY_TRAINING | {"kwargs": {"preset": "s"}}}],
        "targets": {"torch": {"runtime": "torch_cpu", "budget": {"min_parity_db": 60}}},
        "verify": {"runs": 5, "warmup": 1, "pictures": 2},
    }
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(recipe | changes))
    return path


FULL_CHAINS = {
    "stages": [
        {"prune": dict(TINY_TRAINING)},
        {"distill": TINY_TRAINING | {"kwargs": {"preset": "s"}}},
        "torch_to_onnx",
        "simplify_onnx",
    ],
    "targets": {
        "onnx": {"runtime": "onnxruntime_cpu", "budget": {"min_parity_db": 80}},
        "fp32": {"runtime": "litert_cpu", "stages": ["onnx_to_tflite"], "budget": {"min_parity_db": 80}},
        "fp16": {"runtime": "litert_cpu", "stages": ["onnx_to_tflite", {"quantize_tflite": {"precision": "fp16"}}]},
        "int8": {
            "runtime": "litert_cpu",
            "stages": ["onnx_to_tflite", "quantize_tflite"],
            "budget": {"min_parity_db": 30, "min_int8_mac_share": 1, "max_float_islands": 0, "max_transposes": 0},
        },
        "old": {"runtime": "tflite_runtime", "stages": ["onnx_to_tflite", "quantize_tflite"]},
        "onnx_int8": {"runtime": "onnxruntime_cpu", "stages": ["quantize_onnx"], "budget": {"min_parity_db": 25}},
    },
}


def _box_blur(image: np.ndarray) -> np.ndarray:
    return np.mean([np.roll(image, shift, axis=1) for shift in range(-2, 3)], axis=0)


def write_train_recipe(folder: Path, photos: Path) -> Path:
    """The path of a training recipe of three steps on the pictures in `photos`."""
    (folder / "photos").symlink_to(photos)
    path = folder / "demo.yaml"
    path.write_text(
        "name: demo\n"
        "model: {arch: mobilenetv3_student, kwargs: {preset: s}}\n"
        "data: {training: photos}\n"
        "training: {steps: 3, batch: 2, crop_px: 32, warmup_steps: 1}\n"
    )
    return path
