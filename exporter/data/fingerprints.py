"""What a picture shows, in 736 signs: the same for copies that were re-encoded, resized, brightened, blurred a little,
mirrored, turned, or cut by a tenth or fifth at a corner or all around. Other cuts of a photograph are not found.

Signs of the lowest 16×16 cosine frequencies (Zauner, "Implementation and Benchmarking of Perceptual Image Hash
Functions", 2010) and of differences between neighbours on a 16×16 grid, both of luma at 64×64.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exporter.artifact import sha256_of
from exporter.data.images import read_pixels

SIDE, GRID = 64, 16
Signs = NDArray[np.int8]  # (views, signs), each +1, -1 or, where there is none, 0
FREQUENCY_BITS = GRID * GRID
# Share of bits that differ, of either kind. Measured on the shipped sets: blurred and sharp of one picture at most
# 0.08, different pictures at least 0.35.
NEAR_SHARE = 0.28
AT_ONCE = 256
NOISE, NOISE_SHARE = 0.25, 0.25  # of 255 levels; of the mean magnitude
CUTS = (1.0, 0.9, 0.8)  # of each side; corners and centre


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """`views`: the whole picture, mirrored and turned (8); `cuts`: the whole picture and what its cuts show."""

    file: Path
    sha256: str
    views: Signs
    cuts: Signs


def fingerprints(files: Iterable[Path]) -> list[Fingerprint]:
    """One for each picture, read one at a time. Raises DataError for a file that is not a picture."""
    return [_fingerprint(file, sha256_of(file)) for file in files]


def nearest(one: Sequence[Fingerprint], others: Sequence[Fingerprint]) -> NDArray[np.float32]:
    """(one, others): how far apart two pictures are, 0 to 1; 0 for equal files. At most NEAR_SHARE: one picture."""
    if not (one and others):
        return np.ones((len(one), len(others)), np.float32)
    parts = [one[start : start + AT_ONCE] for start in range(0, len(one), AT_ONCE)]
    apart = np.concatenate([np.minimum(_apart(part, others), _apart(others, part).T) for part in parts])
    digests = np.array([print.sha256 for print in others])
    for row, print in enumerate(one):
        apart[row, digests == print.sha256] = 0
    return np.asarray(apart, np.float32)


def _apart(wholes: Sequence[Fingerprint], cut: Sequence[Fingerprint]) -> NDArray[np.float32]:
    views = np.concatenate([print.views for print in wholes]).astype(np.float32)
    cuts = np.concatenate([print.cuts for print in cut]).astype(np.float32)
    frequencies, edges = (
        _unlike(views[:, bits], cuts[:, bits]) for bits in (slice(FREQUENCY_BITS), slice(FREQUENCY_BITS, None))
    )
    worst = np.maximum(frequencies, edges)
    worst = worst.reshape(len(wholes), len(views) // len(wholes), len(cut), len(cuts) // len(cut))
    return np.asarray(worst.min(axis=(1, 3)), np.float32)


def _unlike(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """Half of one minus the cosine, 0 to 1; two without any sign, flat ones, are alike."""
    lengths = np.sqrt(np.outer((one**2).sum(axis=1), (other**2).sum(axis=1)))
    empty = np.outer(~one.any(axis=1), ~other.any(axis=1))
    cosines = np.where(empty, 1, one @ other.T / np.maximum(lengths, 1))
    return np.asarray((1 - cosines) / 2, np.float32)


@lru_cache(maxsize=8192)  # a set is compared with several others
def _fingerprint(file: Path, sha256: str) -> Fingerprint:
    from PIL import Image

    picture = Image.fromarray(read_pixels(file)).convert("L")
    boxes = [box for cut in CUTS for box in _boxes(*picture.size, cut)]
    luma = [np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX, box=box), np.float32) for box in boxes]
    views = [np.rot90(side, turns) for side in (luma[0], luma[0][:, ::-1]) for turns in range(4)]
    return Fingerprint(file, sha256, _signs(views), _signs(luma))


def _boxes(width: int, height: int, share: float) -> list[tuple[float, float, float, float]]:
    if share == 1:
        return [(0, 0, width, height)]
    wide, high = width * share, height * share
    corners = [(x, y) for x in (0.0, width - wide) for y in (0.0, height - high)]
    places = [*corners, ((width - wide) / 2, (height - high) / 2)]
    return [(x, y, x + wide, y + high) for x, y in places]


def _signs(pictures: Sequence[NDArray[np.float32]]) -> Signs:
    stack = np.stack(pictures)
    cosines = _cosines()
    frequencies = (cosines @ stack @ cosines.T).reshape(len(stack), -1)
    grid = stack.reshape(len(stack), GRID, SIDE // GRID, GRID, SIDE // GRID).mean(axis=(2, 4))
    across, down = np.diff(grid, axis=2), np.diff(grid, axis=1)
    values = [frequencies - np.median(frequencies, axis=1, keepdims=True), across, down]
    # Rounding noise of a flat picture has no sign.
    flat = [part.reshape(len(stack), -1) for part in values]
    signs = [np.sign(part) * (np.abs(part) > _noise(part)) for part in flat]
    return np.asarray(np.concatenate(signs, axis=1), np.int8)


def _noise(part: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is smaller has no sign: it comes from compression, or from rounding where the picture is flat."""
    return np.asarray(np.maximum(NOISE_SHARE * np.abs(part).mean(axis=1, keepdims=True), NOISE), np.float32)


def _cosines() -> NDArray[np.float32]:
    """(GRID, SIDE): the lowest rows of the orthonormal DCT-II, the constant one left out."""
    rows, places = np.arange(1, GRID + 1)[:, None], np.arange(SIDE) + 0.5
    return np.asarray(np.sqrt(2 / SIDE) * np.cos(np.pi * rows * places / SIDE), np.float32)
