"""Training pairs drawn once into memory-mapped files: synthesis then costs nothing per step."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.data.training import WHOLE, Batch, TrainingSet
from exporter.progress import Progress


@dataclass(frozen=True)
class PairPool:
    """Memory-mapped pictures (N, size, size, 3), bytes. Batches are turned and mirrored crops.

    `taught`, float16 in 0..1, is what a teacher makes of `blurred`: see exporter.training.labels.
    """

    blurred: NDArray[np.uint8]
    sharp: NDArray[np.uint8]
    sha256: str  # of what decides blurred and sharp
    taught: NDArray[np.float16] | None = None

    def batch(self, seed: int, step: int, batch: int, size: int, share: slice = WHOLE) -> Batch:
        """Like TrainingSet.batch: (blurred, sharp) and `taught` if any, each (batch, 3, size, size) in 0..1."""
        crops = [self._crops(np.random.default_rng((seed, step, i)), size) for i in range(batch)[share]]
        sides = (np.stack(side).transpose(0, 3, 1, 2) for side in zip(*crops, strict=True))
        return tuple(np.ascontiguousarray(side, np.float32) / (255 if side.dtype == np.uint8 else 1) for side in sides)

    def _crops(self, rng: np.random.Generator, size: int) -> list[NDArray[Any]]:
        """The same cut of one tile's blurred, sharp and taught picture."""
        which = int(rng.integers(len(self.blurred)))
        top, left = (int(rng.integers(0, self.blurred.shape[1] - size + 1)) for _ in range(2))
        turns, mirrored = int(rng.integers(4)), rng.random() < 0.5

        def cut(stack: NDArray[Any]) -> NDArray[Any]:
            crop = np.rot90(stack[which, top : top + size, left : left + size], turns)
            return crop[:, ::-1] if mirrored else crop

        return [cut(stack) for stack in (self.blurred, self.sharp, self.taught) if stack is not None]


def open_pool(
    folder: Path, source: TrainingSet, pairs: int, size: int, seed: int, progress: Progress, workers: int = 1
) -> PairPool:
    """The pool of `pairs` size×size pairs from `source`, drawn now by `workers` threads unless `folder` has it already.

    Takes 6·pairs·size² bytes. The same pairs whatever the number of workers.
    """
    wanted = {"source": source.identity, "pairs": pairs, "size": size, "seed": seed}
    digest = sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
    done = folder / f"{digest[:16]}.json"
    files = [folder / f"{digest[:16]}.{side}.raw" for side in ("blurred", "sharp")]
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _draw(files, source, pairs, size, seed, progress, workers)
        partial = done.with_suffix(".partial")
        partial.write_text(json.dumps(wanted))
        partial.replace(done)
    blurred, sharp = (np.memmap(file, np.uint8, "r", shape=(pairs, size, size, 3)) for file in files)
    return PairPool(blurred, sharp, digest)


def _draw(
    files: list[Path], source: TrainingSet, pairs: int, size: int, seed: int, progress: Progress, workers: int
) -> None:
    shape = (pairs, size, size, 3)
    stacks = [np.memmap(file, np.uint8, "w+", shape=shape) for file in files]

    def draw(i: int) -> None:
        for stack, side in zip(stacks, source.batch(seed, i, 1, size), strict=True):
            stack[i] = (side[0].transpose(1, 2, 0) * 255 + 0.5).astype(np.uint8)

    with progress.task("draw pairs", pairs) as task, ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(draw, range(pairs)):
            task.advance()
    for stack in stacks:
        stack.flush()
