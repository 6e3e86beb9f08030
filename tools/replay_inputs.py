"""What `tools/replay.py` exports: three tiny recipes, their networks, weights and pictures; alike at every commit."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

REPO = Path(__file__).parent.parent
SIDE = 64
TRAINING = {"steps": 4, "batch": 2, "crop_px": 32, "warmup_steps": 1, "checkpoint_every": 2}
ONNX: list[Any] = ["torch_to_onnx", "simplify_onnx"]
TFLITE: list[Any] = ["onnx_to_tflite"]
TARGETS: dict[str, Any] = {
    "onnx": {"runtime": "onnxruntime_cpu"},
    "fp32": {"runtime": "litert_cpu", "stages": TFLITE},
    "fp16": {"runtime": "litert_cpu", "stages": [*TFLITE, {"quantize_tflite": {"precision": "fp16"}}]},
    "int8": {"runtime": "litert_cpu", "stages": [*TFLITE, "quantize_tflite"]},
    "int8_tuned": {"runtime": "litert_cpu", "stages": [*TFLITE, {"quantize_tflite": {"tune": True, "device": "cpu"}}]},
    "onnx_int8": {"runtime": "onnxruntime_cpu", "stages": ["quantize_onnx"]},
    "onnx_int8_tensorrt": {"runtime": "onnxruntime_cpu", "stages": [{"quantize_onnx": {"engine": "tensorrt"}}]},
}
LOUD = {"steps": 40, "learning_rate": 3e-3}  # a student that does something, so that what INT8 loses shows
TRAINED_FOR_INT8 = [*TFLITE, {"quantize_aware_train": TRAINING}, "quantize_tflite"]
RECIPES: dict[str, dict[str, Any]] = {
    "down_and_up": {
        "model": {"arch": "replay_networks:DownAndUp", "checkpoint": "down_and_up.pth", "multiple": 4},
        "stages": ONNX,
        "targets": TARGETS,
    },
    "attention": {
        "model": {"arch": "replay_networks:Attention", "checkpoint": "attention.pth", "multiple": 8},
        "stages": ONNX,
        "targets": TARGETS,
    },
    "student": {
        "model": {
            "arch": "deblurgan_v2_mobilenet",
            "checkpoint": "deblurgan.pth",
            "kwargs": {"norm_mode": "running", "num_filters": 16, "num_filters_fpn": 32},
        },
        "stages": [
            {"prune": {"ratio": 0.25, **TRAINING}},
            {"distill": {"student": "mobilenetv3_student", "kwargs": {"preset": "s"}, **TRAINING, **LOUD}},
            *ONNX,
        ],
        "targets": TARGETS | {"int8_trained": {"runtime": "litert_cpu", "stages": TRAINED_FOR_INT8}},
    },
}


def write_inputs(folder: Path) -> None:
    """Recipes, `replay_networks.py`, checkpoints with seeded weights and crops of the shipped pictures in `folder`."""
    import yaml

    folder.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("replay_networks.py"), folder)
    _write_weights(folder)
    _write_pictures(folder)
    for name, recipe in RECIPES.items():
        common = {
            "name": name,
            "version": "1.0",
            "input": {"height": SIDE, "width": SIDE},
            "data": {"calibration": "calibration", "evaluation": "evaluation", "training": "training"},
            "verify": {"runs": 5, "warmup": 1, "pictures": 2},
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(common | recipe, sort_keys=False))


def _write_weights(folder: Path) -> None:
    import torch

    from exporter.generators.build import build_network, generator_info
    from tools.replay_networks import Attention, DownAndUp

    kwargs = RECIPES["student"]["model"]["kwargs"]
    makers = {
        "down_and_up": DownAndUp,
        "attention": Attention,
        "deblurgan": lambda: build_network(generator_info("deblurgan_v2_mobilenet"), kwargs),
    }
    for name, make in makers.items():
        torch.manual_seed(0)
        torch.save({"state_dict": make().state_dict()}, folder / f"{name}.pth")


def _write_pictures(folder: Path) -> None:
    """Crops from the middle of shipped pictures, where there is something to see."""
    from PIL import Image

    def crop(source: Path, target: Path, side: int) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(source) as image:
            left, top = (image.width - side) // 2, (image.height - side) // 2
            image.convert("RGB").crop((left, top, left + side, top + side)).save(target.with_suffix(".png"))

    shipped = REPO / "calibration"
    for number, source in enumerate(sorted((shipped / "photos_256").glob("*.jpg"))[:20]):
        crop(source, folder / "calibration" / f"{number}", SIDE)
    for side in ("blurred", "sharp"):
        for number, source in enumerate(sorted((shipped / "evaluation_256" / side).glob("*.*"))[:4]):
            crop(source, folder / "evaluation" / side / f"{number}", SIDE)
    for number, source in enumerate(sorted((shipped / "training_384").glob("*.jpg"))[:6]):
        crop(source, folder / "training" / f"{number}", 2 * SIDE)
