"""Training pairs drawn once into memory-mapped files: synthesis then costs nothing per step."""

from __future__ import annotations

import json
import math
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.cache.sealed import seal, unseal
from exporter.data.training import WHOLE, Batch, TrainingSet
from exporter.files.atomic import write_atomically
from exporter.files.locking import locked
from exporter.progress import Progress
from exporter.sources import code_of


@dataclass(frozen=True)
class PairPool:
    """Memory-mapped pictures (N, size, size, 3), bytes. Batches are turned and mirrored crops.

    Of a set for a network that enlarges, all but `blurred` are so many times as large. `teacher_output`, float16 in
    0..1, is what a teacher makes of `blurred`: see exporter.training.labels.
    """

    blurred: NDArray[np.uint8]
    sharp: NDArray[np.uint8]
    sha256: str  # of what decides blurred and sharp
    teacher_output: NDArray[np.float16] | None = None

    def batch(self, seed: int, step: int, batch: int, size: int, share: slice = WHOLE) -> Batch:
        """Like TrainingSet.batch: (blurred, sharp) and `teacher_output` if any, in 0..1."""
        crops = [self._crops(np.random.default_rng((seed, step, i)), size) for i in range(batch)[share]]
        sides = (np.stack(side).transpose(0, 3, 1, 2) for side in zip(*crops, strict=True))
        return tuple(np.ascontiguousarray(side, np.float32) / (255 if side.dtype == np.uint8 else 1) for side in sides)

    def _crops(self, rng: np.random.Generator, size: int) -> list[NDArray[Any]]:
        """The same cut of one tile's blurred and sharp picture and of the teacher's output."""
        which = int(rng.integers(len(self.blurred)))
        top, left = (int(rng.integers(0, self.blurred.shape[1] - size + 1)) for _ in range(2))
        turns, mirrored = int(rng.integers(4)), rng.random() < 0.5

        def cut(stack: NDArray[Any]) -> NDArray[Any]:
            scale = stack.shape[1] // self.blurred.shape[1]
            rows, columns = (slice(scale * start, scale * (start + size)) for start in (top, left))
            crop = np.rot90(stack[which, rows, columns], turns)
            return crop[:, ::-1] if mirrored else crop

        return [cut(stack) for stack in (self.blurred, self.sharp, self.teacher_output) if stack is not None]


def open_pool(
    folder: Path, source: TrainingSet, pairs: int, size: int, seed: int, progress: Progress, workers: int = 1
) -> PairPool:
    """The pool of `pairs` size×size pairs from `source`, drawn now by `workers` threads unless `folder` has it already.

    Takes 6·pairs·size² bytes, 3·(1 + scale²) for a network that enlarges. The same pairs whatever the number of
    workers; edited code draws a pool of its own. Of several runs one draws, the others wait; a pool that is damaged is
    drawn again, beside the old files, which others may be reading.
    """
    code = code_of(__name__, type(source).__module__).parts()
    wanted = {"source": source.identity, "pairs": pairs, "size": size, "seed": seed, "code": code}
    digest = sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()
    name = digest[:16]
    record, files = folder / f"{name}.json", [folder / f"{name}.{side}.raw" for side in ("blurred", "sharp")]
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / f".{name}.lock", waiting=lambda: progress.say(f"another run draws the pool {name}: waiting")):
        if unseal(record) is None:
            _draw(files, source, pairs, size, seed, progress, workers)
            seal(record, wanted, files)
    shapes = _shapes(source, pairs, size)
    blurred, sharp = (np.memmap(file, np.uint8, "r", shape=shape) for file, shape in zip(files, shapes, strict=True))
    return PairPool(blurred, sharp, digest)


def _shapes(source: TrainingSet, pairs: int, size: int) -> tuple[tuple[int, int, int, int], ...]:
    """Of the stacks of blurred (or small) and of sharp pictures."""
    return tuple((pairs, side, side, 3) for side in (size, source.scale * size))


def _draw(
    files: list[Path], source: TrainingSet, pairs: int, size: int, seed: int, progress: Progress, workers: int
) -> None:
    with ExitStack() as stack:
        new = [stack.enter_context(write_atomically(file)) for file in files]
        sides = [allocated(*side) for side in zip(new, _shapes(source, pairs, size), strict=True)]

        def draw(i: int) -> None:
            for side, picture in zip(sides, source.batch(seed, i, 1, size), strict=True):
                side[i] = (picture[0].transpose(1, 2, 0) * 255 + 0.5).astype(np.uint8)

        task, pool = stack.enter_context(progress.task("draw pairs", pairs)), ThreadPoolExecutor(workers)
        try:
            for _ in pool.map(draw, range(pairs)):
                task.advance()
        finally:
            pool.shutdown(cancel_futures=True)  # after an interruption nobody wants the rest
        for side in sides:
            side.flush()


def allocated(file: Path, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[np.uint8]]:
    """`file` in memory, to be written to, with its place on the disk already taken; what it holds stays.

    Without that, a disk that is full ends the process with SIGBUS as soon as it writes. Raises OSError then.
    """
    with file.open("ab") as opened:
        os.posix_fallocate(opened.fileno(), 0, math.prod(shape))
    return np.memmap(file, np.uint8, "r+", shape=shape)
