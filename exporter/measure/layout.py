"""Is every pixel where it belongs? A swapped axis or channel can look plausible and still pass a PSNR mean.

One image without any symmetry in height, width or channel goes through the exported file and through the
float model. The file's picture must be nearer to the model's picture than to each rearrangement of it, and than to
what the model gives when input and output are rearranged alike (a file that eats and gives BGR).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import permutations

import numpy as np

from exporter.artifact import Artifact
from exporter.inspect.results import Finding
from exporter.measure.parity import parity_db
from exporter.runtimes.base import Image, Runtime

CLEAR_MARGIN_DB = 3.0  # a right INT8 file is above 30 dB here, every rearrangement below 22
Rearrangement = Callable[[Image], Image]


def check_layout(
    runtime: Runtime, artifact: Artifact, reference_runtime: Runtime, reference: Artifact, threads: int
) -> tuple[Finding, ...]:
    """Compare `artifact` with the float model `reference` on the asymmetric image. Raises EngineError."""
    image = asymmetric_image(artifact.input.height, artifact.input.width)
    changes = both_sides_changes(square=image.shape[0] == image.shape[1])
    with reference_runtime.open(reference, threads) as session:
        expected, *changed = session.infer_all([image, *(change(image) for change in changes.values())])
    with runtime.open(artifact, threads) as session:
        given = session.infer(image)
    alike = {name: change(picture) for (name, change), picture in zip(changes.items(), changed, strict=True)}
    return judge_layout(given, expected, alike)


def judge_layout(given: Image, expected: Image, alike: dict[str, Image]) -> tuple[Finding, ...]:
    """Findings on the picture `given`, which should be `expected`.

    `alike`: what the reference gives, in place again, when its input and output are rearranged the same way.
    """
    if given.shape != expected.shape:
        return (_error(f"the file gives a picture of shape {given.shape}, the float model {expected.shape}"),)
    right_db = parity_db(expected, given)
    wrong = _nearest(given, rearrangements(expected))
    both = _nearest(given, alike.items())
    # A network that hardly minds a flip leaves `both` and `right_db` close together, so there only a clear winner
    # counts. `not` with the good case: a NaN in the picture must not pass.
    if not both[0] <= right_db + CLEAR_MARGIN_DB and both[0] > wrong[0]:
        return (
            _error(
                f"the file works on {both[1]}, at input and output alike: {both[0]:.1f} dB from the "
                f"float model used that way, {right_db:.1f} dB from its plain use"
            ),
        )
    if not right_db >= wrong[0] + CLEAR_MARGIN_DB:
        return (
            _error(
                f"on an asymmetric image the picture is {right_db:.1f} dB from the float model's and "
                f"{wrong[0]:.1f} dB from the same with {wrong[1]}: the axes or channels are mixed up"
            ),
        )
    return ()


def _nearest(given: Image, others: Iterable[tuple[str, Image]]) -> tuple[float, str]:
    """Parity in dB with the nearest of the named pictures, and its name."""
    return max(((parity_db(picture, given), name) for name, picture in others), default=(0.0, "nothing"))


def asymmetric_image(height: int, width: int) -> Image:
    """Smooth waves and ramps of another frequency in each axis and channel, with a mark in one corner.

    float32 (height, width, 3) in 0.05..0.95.
    """
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width], np.float32).reshape(2, 1, 1)
    red = 0.15 + 0.6 * y + 0.15 * np.sin(9 * x + 2 * y)
    green = 0.3 + 0.25 * x + 0.2 * np.cos(5 * y * y + 14 * x)
    blue = 0.75 - 0.5 * x * y + 0.12 * np.sin(23 * y + 3 * x)
    picture = np.stack([red, green, blue], axis=2)
    picture[: height // 4, : width // 3] = (0.95, 0.5, 0.1)
    image: Image = np.clip(picture, 0.05, 0.95).astype(np.float32)
    return image


def rearrangements(picture: Image) -> Iterator[tuple[str, Image]]:
    """Every other order of axes, directions and channels that has the same shape, and buffers read wrongly."""
    height, width, _ = picture.shape
    for axes in ("", "height and width swapped") if height == width else ("",):
        turned = picture.transpose(1, 0, 2) if axes else picture
        for flip in ("", "rows reversed", "columns reversed", "rows and columns reversed"):
            flipped = turned[:: -1 if "rows" in flip else 1, :: -1 if "columns" in flip else 1]
            for order in permutations("RGB"):
                channels = "" if order == ("R", "G", "B") else f"channels in the order {''.join(order)}"
                if name := ", ".join(part for part in (axes, flip, channels) if part):
                    yield name, flipped[:, :, ["RGB".index(channel) for channel in order]]
    yield "an NCHW buffer read as NHWC", picture.transpose(2, 0, 1).reshape(picture.shape)
    yield "an NHWC buffer read as NCHW", picture.reshape(3, height, width).transpose(1, 2, 0)


def both_sides_changes(*, square: bool) -> dict[str, Rearrangement]:
    """What a file can do to input and output alike; each change undoes itself."""
    changes: dict[str, Rearrangement] = {
        "BGR instead of RGB": lambda image: image[:, :, [2, 1, 0]],
        "GRB instead of RGB": lambda image: image[:, :, [1, 0, 2]],
        "RBG instead of RGB": lambda image: image[:, :, [0, 2, 1]],
        "rows in reverse order": lambda image: image[::-1],
        "columns in reverse order": lambda image: image[:, ::-1],
    }
    if square:
        changes["height and width swapped"] = lambda image: image.transpose(1, 0, 2)
    return changes


def _error(message: str) -> Finding:
    return Finding("error", "layout", message)
