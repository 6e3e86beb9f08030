"""What a teacher makes of every blurred tile of a pool, asked once: training reads it instead of asking at each step.

The teacher sees whole tiles, so a crop's label knows more of its surroundings than asking for the crop would tell.
Labels are float16: a trained student is so near its teacher that rounding to bytes turns the gradient of the L1 between
them (cosine 0.96 to that of exact labels; float16: 1.00).

A shard of labels stands beside each shard of pairs, made by whoever comes first. A processor computes a picture in one
thread, several pictures at once, and a GPU batches that depend on the shard alone: the number of workers and of cores
changes no bit.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from exporter.cache.made_from import key_of
from exporter.cache.shards import make_missing
from exporter.data.pool import PAIRS, PairPool, Shard
from exporter.data.stack import Stack, open_tensors, write_tensors
from exporter.errors import StageError
from exporter.processes.place import Place
from exporter.progress import Progress
from exporter.sources import code_of

LABEL = "teacher_output"
AT_ONCE_GPU = 8  # pictures
MOST_THREADS = 8  # each holds a picture's activations
Ask = Callable[[NDArray[np.uint8]], NDArray[np.float16]]  # (N, H, W, 3) each


@dataclass(frozen=True, slots=True)
class Labels:
    """What one teacher makes of a pool's shards; `name` is part of their files' names."""

    teacher_sha256: str
    name: str
    device: torch.device
    ask: Ask

    def file(self, shard: Shard, folder: Path) -> Path:
        return shard.file(folder, self.name)

    def make(self, shard: Shard, folder: Path, new: Path) -> dict[str, str]:
        """Write the labels of a shard whose pairs are there to `new`; what their record says. Raises StageError."""
        pairs = shard.file(folder, PAIRS)
        made = self.ask(open_tensors(pairs).get_tensor("blurred"))
        if (broken := ~np.isfinite(made).all(axis=(1, 2, 3))).any():
            raise StageError(
                f"the teacher's picture of tile {int(broken.argmax())} in {pairs} is not finite",
                hint="look for NaN in its weights",
            )
        write_tensors(new, {LABEL: made})
        return {"teacher": self.teacher_sha256, "device": described(self.device)}


def label(
    pool: PairPool,
    teacher: nn.Module,
    teacher_sha256: str,
    device: torch.device,
    progress: Progress,
    place: Place | None = None,
) -> PairPool:
    """`pool` with the picture that `teacher` makes of each blurred tile, asked now as far as it is not there.

    Takes 6·pairs·size² bytes, `size` being that of the sharp tiles. Every process that is at it shares the work;
    killed, it goes on with the shards that are missing. Raises StageError when an answer is not finite.
    """
    with asking(teacher, teacher_sha256, device) as labels:
        files = [labels.file(shard, pool.folder) for shard in pool.shards]
        make_missing(
            f"ask the teacher ({described(device)})",
            files,
            lambda i, new: labels.make(pool.shards[i], pool.folder, new),
            place or Place(),
            progress,
        )
    stack = Stack(files, [shard.pairs for shard in pool.shards], LABEL, pool.sharp.shape[1], "F16")
    return replace(pool, teacher_output=stack)


@contextmanager
def asking(teacher: nn.Module, teacher_sha256: str, device: torch.device) -> Iterator[Labels]:
    """Labels by `teacher`, which is on `device` meanwhile."""
    code = code_of(__name__, *{type(layer).__module__ for layer in teacher.modules()}).parts()
    name = f"{LABEL}.{key_of({'teacher': teacher_sha256, **code})}"
    with (_on_gpu if device.type == "cuda" else _on_cpu)(teacher.to(device).eval(), device) as ask:
        yield Labels(teacher_sha256, name, device, ask)
    teacher.to("cpu")


def described(device: torch.device) -> str:
    """Where the teacher computes, by its maker's name for a GPU."""
    return f"{device}, {torch.cuda.get_device_name(device)}" if device.type == "cuda" else "CPU"


@contextmanager
def _on_cpu(teacher: nn.Module, device: torch.device) -> Iterator[Ask]:
    """One thread a picture: sums that several threads share are rounded as the threads are many."""
    threads = torch.get_num_threads()
    copies: SimpleQueue[nn.Module] = SimpleQueue()
    for _ in range(min(threads, MOST_THREADS)):  # a network may keep things of a picture in itself; weights are shared
        shared: dict[int, Any] = {id(tensor): tensor for tensor in (*teacher.parameters(), *teacher.buffers())}
        copies.put(copy.deepcopy(teacher, shared))

    def picture(tile: NDArray[np.uint8]) -> NDArray[np.float16]:
        one = copies.get()
        try:
            return _pictures(one, tile[None], device)
        finally:
            copies.put(one)

    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(copies.qsize()) as pool:
            yield lambda tiles: np.concatenate(list(pool.map(picture, tiles)))
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _on_gpu(teacher: nn.Module, device: torch.device) -> Iterator[Ask]:
    def ask(tiles: NDArray[np.uint8]) -> NDArray[np.float16]:
        at_once = AT_ONCE_GPU
        while True:
            try:
                batches = (tiles[first : first + at_once] for first in range(0, len(tiles), at_once))
                made: NDArray[np.float16] = np.concatenate([_pictures(teacher, batch, device) for batch in batches])
                return made
            except torch.OutOfMemoryError:
                if at_once == 1:
                    raise
                at_once //= 2
                torch.cuda.empty_cache()

    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield ask


@torch.no_grad()
def _pictures(teacher: nn.Module, tiles: NDArray[np.uint8], device: torch.device) -> NDArray[np.float16]:
    """What the teacher makes of (N, H, W, 3), in fp32 whatever training computes in."""
    blurred = torch.from_numpy(tiles.transpose(0, 3, 1, 2).astype(np.float32) / 255)
    made = teacher(blurred.to(device, memory_format=torch.channels_last)).half()
    kept: NDArray[np.float16] = made.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return kept
