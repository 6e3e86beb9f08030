"""Real photographs, "deblurred" by unsharp masks: the pictures of a run as it might have been."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exporter.measure.results import Picture


def photos() -> dict[str, NDArray[np.float32]]:
    """(H, W, 3) RGB in 0..1, by name."""
    from PIL import Image

    files = sorted((Path(__file__).parent / "photos").glob("*.jpg"))
    return {file.stem: np.asarray(Image.open(file).convert("RGB"), dtype=np.float32) / 255 for file in files}


def comparison(name: str, sharp: NDArray[np.float32], folder: Path, rng: np.random.Generator) -> Picture:
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
    return Picture(name, {stage: _png(image, folder / f"{name}.{stage}.png") for stage, image in images.items()})


def _blur(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(image, (sigma, sigma, 0)), dtype=np.float32)


def _png(image: NDArray[np.float32], path: Path) -> Path:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.round(np.clip(image, 0, 1) * 255).astype(np.uint8)).save(path)
    return path
