"""Training pairs drawn once into files: synthesis then costs nothing per step.

A pool is drawn shard by shard, each of the pictures of one bucket (exporter.data.listing) alone, so that workers share
the work and none holds more than a shard. Who draws a shard, and when, changes no byte of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.cache.made_from import key_of
from exporter.cache.shards import make_missing
from exporter.data.blur import BlurOptions
from exporter.data.listing import Bucket, Listing
from exporter.data.protocol import Protocol
from exporter.data.stack import Stack, write_tensors
from exporter.data.training import WHOLE, Batch, TrainingSet, paired_set
from exporter.data.training_small import enlarging
from exporter.processes.place import Place
from exporter.progress import Progress
from exporter.sources import code_of

SHARD_BYTES = 32 << 20  # of pairs, about
PAIRS, SIDES = "pairs", ("blurred", "sharp")


@dataclass(frozen=True, slots=True)
class PoolSource:
    """Pictures of one folder, and what is made of them: see TrainingSet, and ShrunkSet where `scale` is above 1."""

    listing: Listing
    options: BlurOptions = field(default_factory=BlurOptions)
    min_sharpness: float = 0.0
    scale: int = 1
    protocol: Protocol | None = None

    def of(self, bucket: Bucket) -> TrainingSet:
        """The pairs of one bucket's pictures."""
        if self.listing.paired:
            source: TrainingSet = paired_set(tuple((one, other) for one, other in bucket.files), bucket.sha256)
        else:
            files = tuple(file for (file,) in bucket.files)
            source = TrainingSet(files, bucket.sha256, self.options, self.min_sharpness)
        return enlarging(source, self.scale, self.protocol) if self.scale > 1 else source


@dataclass(frozen=True, slots=True)
class PoolSources:
    """All that a pool is drawn from; each source is as likely, one that is there twice twice as likely."""

    sources: tuple[PoolSource, ...]

    def __len__(self) -> int:
        return sum(len(source.listing) for source in self.sources)

    @property
    def sha256(self) -> str:
        """Changes when a picture does, or how small ones are made."""
        said = (f"{source.listing.sha256} {source.scale} {source.protocol}" for source in self.sources)
        return sha256("\n".join(said).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Shard:
    """`pairs` pairs of one bucket; `key` names all that decides them."""

    key: str
    pairs: int
    source: int
    bucket: int

    def file(self, folder: Path, what: str) -> Path:
        """Where `what` of it lies."""
        return folder / self.key[:2] / f"{self.key}.{what}.safetensors"


@dataclass(frozen=True)
class PairPool:
    """Pictures (N, size, size, 3), bytes, in files. Batches are turned and mirrored crops.

    Of a set for a network that enlarges, all but `blurred` are so many times as large. `teacher_output`, float16 in
    0..1, is what a teacher makes of `blurred`: see exporter.training.labels.
    """

    blurred: Stack
    sharp: Stack
    shards: tuple[Shard, ...]
    folder: Path
    teacher_output: Stack | None = None

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

        def cut(stack: Stack) -> NDArray[Any]:
            scale = stack.shape[1] // self.blurred.shape[1]
            rows, columns = (slice(scale * start, scale * (start + size)) for start in (top, left))
            crop = np.rot90(stack[which, rows, columns], turns)
            return crop[:, ::-1] if mirrored else crop

        return [cut(stack) for stack in (self.blurred, self.sharp, self.teacher_output) if stack is not None]


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """A pool that is to be drawn: which shards it has is known before any is drawn."""

    sources: PoolSources
    size: int
    shards: tuple[Shard, ...]
    folder: Path

    def draw(self, number: int, new: Path, workers: int = 1) -> dict[str, Any]:
        """Write the pairs of shard `number` to `new`, drawn in `workers` threads; what its record says."""
        shard = self.shards[number]
        source = self.sources.sources[shard.source]
        pictures = source.of(source.listing.bucket(shard.bucket))
        seed, sides = int(shard.key, 16), (self.size, source.scale * self.size)
        drawn = {
            name: np.empty((shard.pairs, side, side, 3), np.uint8) for name, side in zip(SIDES, sides, strict=True)
        }

        def draw(i: int) -> None:
            for name, picture in zip(SIDES, pictures.batch(seed, i, 1, self.size), strict=True):
                drawn[name][i] = (picture[0].transpose(1, 2, 0) * 255 + 0.5).astype(np.uint8)

        pool = ThreadPoolExecutor(workers)
        try:
            for _ in pool.map(draw, range(shard.pairs)):
                pass
        finally:
            pool.shutdown(cancel_futures=True)  # after an interruption nobody wants the rest
        write_tensors(new, drawn)
        return {"pairs": shard.pairs, "size": self.size, "pictures": pictures.sha256}

    def files(self, what: str = PAIRS) -> list[Path]:
        return [shard.file(self.folder, what) for shard in self.shards]

    def stack(self, name: str, what: str = PAIRS, dtype: str = "U8") -> Stack:
        """All that its shards hold under `name`, once they are there."""
        side = self.size * (1 if name == "blurred" else self.sources.sources[0].scale)
        return Stack(self.files(what), [shard.pairs for shard in self.shards], name, side, dtype)

    def drawn(self) -> PairPool:
        """What the shards hold, all of which are there."""
        return PairPool(self.stack("blurred"), self.stack("sharp"), self.shards, self.folder)


def plan_pool(folder: Path, sources: PoolSources, pairs: int, size: int, seed: int) -> PoolPlan:
    """`pairs` size×size pairs, equally many of each source and, of that, of each bucket.

    6·pairs·size² bytes, 3·(1 + scale²) for a network that enlarges. Other pictures change the shards of their buckets
    alone, edited code changes all.
    """
    code = key_of(code_of(__name__).parts())
    shards: list[Shard] = []
    for number, of_source in enumerate(_even(pairs, len(sources.sources))):
        turn = sources.sources[:number].count(sources.sources[number])  # the same pictures again are other pairs
        wanted = {"turn": turn, "size": size, "seed": seed, "code": code}
        shards += _shards(sources.sources[number], number, of_source, wanted)
    return PoolPlan(sources, size, tuple(shards), folder)


def _shards(source: PoolSource, number: int, pairs: int, wanted: dict[str, Any]) -> Iterator[Shard]:
    """Of the source of that number; one of no more than SHARD_BYTES, so that none of many pairs keeps all waiting."""
    most = max(1, SHARD_BYTES // (3 * (1 + source.scale**2) * wanted["size"] ** 2))
    buckets = sum(1 for _ in source.listing.buckets())
    for bucket, of_bucket in zip(source.listing.buckets(), _even(pairs, buckets), strict=True):
        parts = _even(of_bucket, -(-of_bucket // most))
        identity = source.of(bucket).identity if parts else ""
        for part, count in enumerate(parts):
            key = _key(wanted | {"source": identity, "part": part, "pairs": count})
            yield Shard(key, count, number, bucket.number)


def open_pool(plan: PoolPlan, progress: Progress, workers: int = 1, place: Place | None = None) -> PairPool:
    """What `plan` says, drawn now in `workers` threads, and by every other process that is at it, as far as it is not
    there; a shard that is damaged is drawn again, beside the old file, which others may be reading."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    make_missing("draw pairs", plan.files(), lambda i, new: plan.draw(i, new, workers), place or Place(), progress)
    return plan.drawn()


def _even(total: int, parts: int) -> list[int]:
    """`total` in `parts`, none more than one larger than another."""
    return [total // parts + (i < total % parts) for i in range(parts)]


def _key(wanted: dict[str, Any]) -> str:
    return sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:24]
