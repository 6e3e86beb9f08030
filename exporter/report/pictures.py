"""The photographs of the page: before/after pairs and magnified errors, as data URIs."""

from __future__ import annotations

import base64
import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exporter.artifact import Format
from exporter.judge.outcome import Outcome
from exporter.measure.results import Picture, Quality, StageAccuracy
from exporter.report.drawings import Drawings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]  # (height, width, 3) RGB

MAX_PHOTOS = 8
MAX_SIDE_PX = 512  # larger pictures are cropped, never scaled: scaling hides what is being compared
CROP_PX = 64
BEFORE = ("blurred", "enlarged")  # what goes in, as the pictures of a run are called; one of them
_LABELS = {"blurred": "Input", "enlarged": "Bicubic enlargement"}  # what goes in may be noisy, dark or hazy as well
ERROR_GAIN = 10


@dataclass(frozen=True, slots=True)
class Shot:
    """One stage's version of a photo; `psnr_db` against the sharp one, None for the sharp one itself."""

    stage: str
    label: str
    uri: str
    psnr_db: float | None


@dataclass(frozen=True, slots=True)
class Photo:
    name: str
    width: int
    height: int
    cropped: bool
    shots: tuple[Shot, ...]


@dataclass(frozen=True, slots=True)
class ErrorCrop:
    """Where INT8 departs most from its float model: both crops, and their difference × ERROR_GAIN on mid-grey."""

    name: str
    x: int
    y: int
    float_label: str
    int8_label: str
    float_uri: str
    int8_uri: str
    error_uri: str
    mean_error: float  # of full scale 255
    max_error: int


def photos(outcome: Outcome, names: dict[str, str], drawings: Drawings) -> tuple[Photo, ...]:
    """Every picture at every stage it was saved at, at most MAX_PHOTOS; `names` labels the stages."""
    shown = [picture for picture in outcome.pictures[:MAX_PHOTOS] if picture.files]
    with ThreadPoolExecutor() as pool:  # the encoder lets other threads run
        is_grey = any(target.artifact.output.colour == "grey" for target in outcome.targets)
        channels = 1 if is_grey else 3  # of a grey picture, measured as it is, all three are equal
        return tuple(pool.map(lambda one: _photo(one, names, drawings, outcome.enlarges, channels), shown))


def error_crops(outcome: Outcome, names: dict[str, str], drawings: Drawings, count: int = 4) -> tuple[ErrorCrop, ...]:
    """The `count` worst crops, at most one a photo; none when a photo lacks the float or INT8 stage."""
    pair = int8_and_float(outcome.stages)
    if pair is None:
        return ()
    int8, reference = pair
    crops = [
        _error_crop(picture, reference, int8, names, drawings)
        for picture in outcome.pictures
        if {int8, reference} <= picture.files.keys()
    ]
    return tuple(sorted(crops, key=lambda crop: -crop.mean_error)[:count])


def int8_and_float(stages: tuple[StageAccuracy, ...]) -> tuple[str, str] | None:
    """The names of the INT8 stage a phone runs and of the last float stage of its own chain, of those measured."""
    measured = [stage for stage in stages if isinstance(stage.quality, Quality)]
    quantized = [stage for stage in measured if stage.artifact.precision == "int8"]
    if not quantized:
        return None
    int8 = next((stage for stage in quantized if stage.artifact.format == Format.TFLITE), quantized[0])
    history = int8.artifact.history
    floats = [
        stage
        for stage in measured
        if stage.artifact.precision == "fp32" and history[: len(stage.artifact.history)] == stage.artifact.history
    ]
    reference = max(floats, key=lambda stage: len(stage.artifact.history), default=None)
    return (int8.name, reference.name) if reference is not None else None


def _photo(picture: Picture, names: dict[str, str], drawings: Drawings, scale: int, channels: int) -> Photo:
    pixels = {stage: _pixels(path) for stage, path in picture.files.items()}
    height, width = next(iter(pixels.values())).shape[:2]
    top, left = max(0, (height - MAX_SIDE_PX) // 2), max(0, (width - MAX_SIDE_PX) // 2)
    sharp = pixels.get("sharp")
    shots = []
    for stage, image in pixels.items():
        psnr_db = None
        if sharp is not None and image.shape == sharp.shape and stage != "sharp":
            psnr_db = _psnr_db(image[..., :channels], sharp[..., :channels], scale)
        window = image[top : top + MAX_SIDE_PX, left : left + MAX_SIDE_PX]
        label = names.get(stage) or _LABELS.get(stage, stage[:1].upper() + stage[1:])
        shots.append(Shot(stage, label, drawings.picture(data_uri, window), psnr_db))
    shown = min(width, MAX_SIDE_PX), min(height, MAX_SIDE_PX)
    return Photo(picture.name, *shown, cropped=shown != (width, height), shots=tuple(shots))


def _error_crop(picture: Picture, reference: str, int8: str, names: dict[str, str], drawings: Drawings) -> ErrorCrop:
    import numpy as np

    exact, rounded = _pixels(picture.files[reference]), _pixels(picture.files[int8])
    difference = rounded.astype(np.int16) - exact.astype(np.int16)
    error = np.abs(difference)
    y, x = worst_window(error.mean(axis=2))
    window = np.s_[y : y + CROP_PX, x : x + CROP_PX]
    shown = np.clip(128 + difference[window] * ERROR_GAIN, 0, 255).astype(np.uint8)
    return ErrorCrop(
        picture.name,
        x,
        y,
        names.get(reference, reference),
        names.get(int8, int8),
        drawings.picture(data_uri, exact[window]),
        drawings.picture(data_uri, rounded[window]),
        drawings.picture(data_uri, shown),
        float(error[window].mean()),
        int(error[window].max()),
    )


def worst_window(error: NDArray[np.float64]) -> tuple[int, int]:
    """Top and left of the CROP_PX window with the largest mean error, on a grid of 8 px."""
    import numpy as np

    total = np.pad(error.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    rows = np.arange(0, max(1, error.shape[0] - CROP_PX + 1), 8)[:, None]
    columns = np.arange(0, max(1, error.shape[1] - CROP_PX + 1), 8)[None, :]
    bottom = np.minimum(rows + CROP_PX, error.shape[0])
    right = np.minimum(columns + CROP_PX, error.shape[1])
    sums = total[bottom, right] - total[rows, right] - total[bottom, columns] + total[rows, columns]
    row, column = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(rows[row, 0]), int(columns[0, column])


def _pixels(path: Path) -> Pixels:
    import numpy as np
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _psnr_db(image: Pixels, truth: Pixels, scale: int) -> float:
    import numpy as np

    from exporter.data.yardstick import Yardstick

    return Yardstick(scale).psnr_db(image.astype(np.float32) / 255, truth.astype(np.float32) / 255)


def data_uri(pixels: Pixels) -> str:
    """A lossless WebP: a lossy one would add errors of the size this page exists to show.

    Method 4 would be 2 % smaller and take three times as long.
    """
    import numpy as np
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "WEBP", lossless=True, quality=60, method=2)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
