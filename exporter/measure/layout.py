"""Is every pixel where it belongs? A swapped axis or channel can look plausible and still pass a PSNR mean.

One image without any symmetry in height, width or channel goes through the exported file and through the
float model. The file's picture must be nearer to the model's picture than to each rearrangement of it, and than to
what the model gives when its input, or both sides alike, are rearranged (a file that eats and gives BGR). Pictures are
compared as they are shown. Where the network makes a picture that is nearly flat or symmetric, so that a coarse file is
about as near to all of them, the check cannot decide and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import permutations

import numpy as np

from exporter.artifact import Artifact
from exporter.inspect.results import Finding
from exporter.measure.parity import parity_db
from exporter.runtimes.base import Image, Runtime

CLEAR_MARGIN_DB = 3.0  # half the squared error; a right INT8 file is above 30 dB here
TELLING_DB = 22.0  # nearer no rearrangement comes to the asymmetric image itself: its layout can be told from any file
Rearrangement = Callable[[Image], Image]


def check_layout(
    runtime: Runtime, artifact: Artifact, reference_runtime: Runtime, reference: Artifact, threads: int
) -> tuple[Finding, ...]:
    """Compare `artifact` with the float model `reference` on the asymmetric image. Raises EngineError."""
    image = asymmetric_image(artifact.input.height, artifact.input.width, artifact.input.channels)
    is_rgb = artifact.input.channels == artifact.output.channels == 3
    changes = both_sides_changes(square=image.shape[0] == image.shape[1], is_rgb=is_rgb)
    with reference_runtime.open(reference, threads) as session:
        expected, *changed = session.infer_all([image, *(change(image) for change in changes.values())])
    with runtime.open(artifact, threads) as session:
        given = session.infer(image)
    used: dict[str, Image] = {}
    for (name, change), picture in zip(changes.items(), changed, strict=True):
        used |= {f"{name}, at input and output alike": change(picture), f"{name}, at the input alone": picture}
    return judge_layout(given, expected, used)


def judge_layout(given: Image, expected: Image, used: dict[str, Image]) -> tuple[Finding, ...]:
    """Findings on the picture `given`, which should be `expected`.

    `used`: what the reference gives when its input, or input and output alike, are rearranged.
    """
    if given.shape != expected.shape:
        return _wrong(f"the file gives a picture of shape {given.shape}, the float model {expected.shape}")
    if not (np.isfinite(given).all() and np.isfinite(expected).all()):
        whose = "file" if np.isfinite(expected).all() else "float model"
        return _wrong(f"on an asymmetric image the {whose} gives NaN or infinity")
    right_db = parity_db(expected, given)
    wrong_db, wrong = _nearest(given, rearrangements(expected))
    used_db, how = _nearest(given, used.items())
    if used_db > max(right_db + CLEAR_MARGIN_DB, wrong_db):
        plain = f"{right_db:.1f} dB from its plain use"
        return _wrong(f"the file works on {how}: {used_db:.1f} dB from the float model used that way, {plain}")
    from_right = f"{right_db:.1f} dB from the float model's"
    from_wrong = f"{wrong_db:.1f} dB from the same with {wrong}"
    if wrong_db > right_db + CLEAR_MARGIN_DB:
        mixed = "the axes or channels are mixed up"
        return _wrong(f"on an asymmetric image the picture is {from_right} and {from_wrong}: {mixed}")
    if right_db >= wrong_db + CLEAR_MARGIN_DB:  # `used` does not count: a network may hardly mind a flip
        return ()
    alike_db, alike = _nearest(expected, rearrangements(expected))
    if alike_db < TELLING_DB:
        return _wrong(f"on an asymmetric image the file gives another picture: {from_right}, {from_wrong}")
    cannot = (
        "cannot decide whether axes and channels are in order: the float model's picture of an asymmetric image is "
        f"{alike_db:.1f} dB from itself with {alike}, and the file's is {right_db:.1f} dB from it, no nearer"
    )
    return (Finding("warning", "layout", cannot),)


def _nearest(given: Image, others: Iterable[tuple[str, Image]]) -> tuple[float, str]:
    """Parity in dB with the nearest of the named pictures, and its name."""
    return max(((parity_db(picture, given), name) for name, picture in others), default=(0.0, "nothing"))


def asymmetric_image(height: int, width: int, channels: int = 3) -> Image:
    """Smooth waves and ramps of another frequency in each axis and channel, with a mark in one corner.

    float32 (height, width, channels) in 0.05..0.95.
    """
    y, x = np.mgrid[0:height, 0:width] / np.array([height, width], np.float32).reshape(2, 1, 1)
    red = 0.15 + 0.6 * y + 0.15 * np.sin(9 * x + 2 * y)
    green = 0.3 + 0.25 * x + 0.2 * np.cos(5 * y * y + 14 * x)
    blue = 0.75 - 0.5 * x * y + 0.12 * np.sin(23 * y + 3 * x)
    others = [0.5 + 0.2 * np.sin((3 + 2 * i) * x + 5 * y * y + i) + 0.2 * y * x for i in range(channels - 3)]
    picture = np.stack([red, green, blue, *others][:channels], axis=2)
    picture[: height // 4, : width // 3] = np.resize((0.95, 0.5, 0.1), channels)
    image: Image = np.clip(picture, 0.05, 0.95).astype(np.float32)
    return image


def rearrangements(picture: Image) -> Iterator[tuple[str, Image]]:
    """Every other order of axes, directions and channels that has the same shape, and buffers read wrongly."""
    height, width, channels = picture.shape
    for axes in ("", "height and width swapped") if height == width else ("",):
        turned = picture.transpose(1, 0, 2) if axes else picture
        for flip in ("", "rows reversed", "columns reversed", "rows and columns reversed"):
            flipped = turned[:: -1 if "rows" in flip else 1, :: -1 if "columns" in flip else 1]
            for order in _orders(channels):
                named = "".join("RGB"[place] for place in order) if channels == 3 else " ".join(map(str, order))
                mixed = "" if order == tuple(range(channels)) else f"channels in the order {named}"
                if name := ", ".join(part for part in (axes, flip, mixed) if part):
                    yield name, flipped[:, :, list(order)]
    if channels > 1:  # a grey picture lies in memory in one way
        yield "an NCHW buffer read as NHWC", picture.transpose(2, 0, 1).reshape(picture.shape)
        yield "an NHWC buffer read as NCHW", picture.reshape(channels, height, width).transpose(1, 2, 0)


def _orders(channels: int) -> list[tuple[int, ...]]:
    """Orders of channels: all, or the plain one, its reverse and a rotation where there would be too many."""
    if channels <= 4:
        return list(permutations(range(channels)))
    plain = tuple(range(channels))
    return [plain, plain[::-1], (*plain[1:], 0)]


def both_sides_changes(*, square: bool, is_rgb: bool = True) -> dict[str, Rearrangement]:
    """What a file can do to input and output alike; each change undoes itself."""
    mixed: dict[str, Rearrangement] = {
        "BGR instead of RGB": lambda image: image[:, :, [2, 1, 0]],
        "GRB instead of RGB": lambda image: image[:, :, [1, 0, 2]],
        "RBG instead of RGB": lambda image: image[:, :, [0, 2, 1]],
    }
    changes = (mixed if is_rgb else {}) | {
        "rows in reverse order": lambda image: image[::-1],
        "columns in reverse order": lambda image: image[:, ::-1],
    }
    if square:
        changes["height and width swapped"] = lambda image: image.transpose(1, 0, 2)
    return changes


def _wrong(message: str) -> tuple[Finding, ...]:
    return (Finding("error", "layout", message),)
