"""Sharp photographs from which blurred/sharp training pairs are drawn, the same for the same seed and step."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from exporter.artifact import sha256_of
from exporter.data.blur import BlurOptions, blur
from exporter.data.images import IMAGE_SUFFIXES, read_image, to_uint8
from exporter.errors import DataError

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]  # blurred, sharp; each (N, 3, size, size) RGB 0..1


@dataclass(frozen=True)
class TrainingSet:
    """A folder of sharp photographs; blur is synthesised on the fly.

    Pairs depend on (seed, step, index) alone, so a resumed run sees what an undisturbed one would have seen.
    """

    files: tuple[Path, ...]
    sha256: str
    options: BlurOptions = field(default_factory=BlurOptions)

    def __len__(self) -> int:
        return len(self.files)

    def batch(self, seed: int, step: int, batch: int, size: int) -> Batch:
        """`batch` random crops of size×size px: (blurred, sharp), each (batch, 3, size, size) in 0..1."""
        pairs = [self._pair(np.random.default_rng((seed, step, i)), size) for i in range(batch)]
        blurred, sharp = (np.stack(side).transpose(0, 3, 1, 2) for side in zip(*pairs, strict=True))
        return np.ascontiguousarray(blurred), np.ascontiguousarray(sharp)

    def _pair(self, rng: np.random.Generator, size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        file = self.files[int(rng.integers(len(self.files)))]
        photo = _read_bytes(file)
        if min(photo.shape[:2]) < size:
            raise DataError(f"{file} is {photo.shape[1]}×{photo.shape[0]} px, a training crop is {size} px")
        # The kernel needs what lies around the crop, so blur a margin as well and cut it off.
        margin = min(int(self.options.max_length_px), (min(photo.shape[:2]) - size) // 2)
        outer = size + 2 * margin
        top, left = (int(rng.integers(0, extent - outer + 1)) for extent in photo.shape[:2])
        sharp = photo[top : top + outer, left : left + outer].astype(np.float32) / 255
        sharp = np.rot90(sharp, int(rng.integers(4)))
        sharp = np.ascontiguousarray(sharp[:, ::-1] if rng.random() < 0.5 else sharp)
        blurred = blur(sharp, rng, self.options)
        inner = slice(margin, margin + size)
        return blurred[inner, inner], sharp[inner, inner]


def open_training(folder: Path) -> TrainingSet:
    """Every photograph below `folder`. Raises DataError when there is none."""
    files = tuple(sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES))
    if not files:
        raise DataError(f"{folder} holds no training photographs", hint="name a folder of sharp .jpg or .png")
    digest = sha256("".join(sha256_of(file) for file in files).encode()).hexdigest()
    return TrainingSet(files, digest)


@lru_cache(maxsize=256)
def _read_bytes(file: Path) -> NDArray[np.uint8]:
    return to_uint8(read_image(file))
