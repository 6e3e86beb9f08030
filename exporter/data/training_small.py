"""Training pairs for networks that enlarge: sharp photographs made small by a protocol, or pairs of two sizes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exporter.data.calibration import laplacian_variance
from exporter.data.enlarging import are_of_two_sizes, shrunk
from exporter.data.images import image_size
from exporter.data.protocol import DEFAULT_PROTOCOL, Protocol
from exporter.data.remembered import remembered
from exporter.data.training import (
    SHARPNESS_TRIES,
    Floats,
    MixedSet,
    PairedSet,
    Tile,
    TrainingSet,
    cut_tile,
    mix,
    read_bytes,
    too_small,
    turned_pair,
)


@dataclass(frozen=True)
class ShrunkSet(TrainingSet):
    """Sharp photographs, each made small as a whole by `protocol`: random crops of both, turned and mirrored.

    Crops whose sharp side has less than `min_sharpness` are drawn again, as in TrainingSet.
    """

    protocol: Protocol = DEFAULT_PROTOCOL

    @property
    def identity(self) -> str:
        return f"{self.sha256} sharpness {self.min_sharpness}"

    def require_size(self, size: int) -> None:
        for file in self.files:
            width, height = image_size(file)
            if min(width, height) // self.scale < size:
                raise too_small(file, width, height, size, self.scale)

    def _pair(self, rng: np.random.Generator, size: int) -> tuple[Floats, Floats]:
        return turned_pair(self._tile(rng, size), rng)

    def _tile(self, rng: np.random.Generator, size: int) -> Tile:
        sharpest, best = -1.0, self._crop_of_both(rng, size)
        crop = best
        for _ in range(SHARPNESS_TRIES if self.min_sharpness > 0 else 0):
            sharpness = laplacian_variance(crop.sharp.astype(np.float32) / 255)
            if sharpness > sharpest:
                sharpest, best = sharpness, crop
            if sharpness >= self.min_sharpness:
                break
            crop = self._crop_of_both(rng, size)
        return best

    def _crop_of_both(self, rng: np.random.Generator, size: int) -> Tile:
        file = self.files[int(rng.integers(len(self.files)))]
        small, sharp = _both(file, self.scale, self.protocol)
        return cut_tile(small, sharp, self.scale, rng, size, file)


def enlarging(source: TrainingSet, scale: int, protocol: Protocol | None) -> TrainingSet:
    """`source` for a network that enlarges `scale` times.

    Pairs of two sizes are taken as they are when no `protocol` is named; of pairs of one size, and of photographs, the
    sharp ones are made small. Raises DataError for pairs of another scale.
    """
    if isinstance(source, MixedSet):
        return mix([enlarging(one, scale, protocol) for one in source.sources])
    if isinstance(source, PairedSet) and protocol is None and are_of_two_sizes(source.pairs, scale):
        return replace(source, scale=scale)
    protocol = protocol or DEFAULT_PROTOCOL
    files = tuple(sharp for _, sharp in source.pairs) if isinstance(source, PairedSet) else source.files
    digest = sha256(f"{source.sha256} {protocol} {scale}".encode()).hexdigest()
    return ShrunkSet(files, digest, min_sharpness=source.min_sharpness, scale=scale, protocol=protocol)


@remembered(most=256)
def _both(file: Path, scale: int, protocol: Protocol) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    return shrunk(read_bytes(file), scale, protocol)
