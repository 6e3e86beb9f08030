"""What a teacher makes of every blurred tile of a pool, asked once: training reads it instead of asking at each step.

The teacher sees whole tiles, so a crop's label knows more of its surroundings than asking for the crop would tell.
Labels are float16: a trained student is so near its teacher that rounding to bytes turns the gradient of the L1 between
them (cosine 0.96 to that of exact labels; float16: 1.00).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from exporter.cache.made_from import key_of
from exporter.cache.sealed import seal, unseal
from exporter.data.pool import PairPool, allocated
from exporter.errors import StageError
from exporter.files.locking import locked
from exporter.progress import Progress
from exporter.sources import code_of
from exporter.training.processes import Processes, joined

GROUP = 32  # tiles between two notes of what is there
Bytes = NDArray[np.uint8]


def label(
    pool: PairPool, teacher: nn.Module, teacher_sha256: str, folder: Path, device: torch.device, progress: Progress
) -> PairPool:
    """`pool` with the picture that `teacher` makes of each blurred tile, asked now unless `folder` has the answers.

    Takes 6·pairs·size² bytes, `size` being that of the sharp tiles. The processes of a group share the work. Killed, it
    goes on with the groups of tiles that are missing, also in another number of processes. Raises StageError when an
    answer is not finite.
    """
    processes = joined()
    code = code_of(__name__, *{type(layer).__module__ for layer in teacher.modules()}).parts()
    name = f"{pool.sha256[:16]}.teacher_output.{key_of({'teacher': teacher_sha256, **code})}"
    path, record = folder / f"{name}.raw", folder / f"{name}.json"
    with _alone(folder / f".{name}.lock", processes, progress):
        there = unseal(record) is not None
        processes.wait()  # all have looked
        if not there:
            partial = path.with_suffix(".partial")
            _ask(pool, teacher.to(device).eval(), partial, processes, progress)
            teacher.to("cpu")
            processes.wait()
            if processes.first:
                partial.replace(path)
                seal(record, {"teacher": teacher_sha256}, [path])
            processes.wait()
    return replace(pool, teacher_output=np.memmap(path, np.float16, "r", shape=pool.sharp.shape))


@contextmanager
def _alone(lock: Path, processes: Processes, progress: Progress) -> Iterator[None]:
    """The first process of the group holds `lock` against other runs; the others wait for it."""
    if not processes.first:
        processes.wait()
        yield
        return
    with locked(lock, waiting=lambda: progress.say("another run asks this teacher about this pool: waiting")):
        processes.wait()
        yield


def _ask(pool: PairPool, teacher: nn.Module, partial: Path, processes: Processes, progress: Progress) -> None:
    """Fill `partial`: one picture a tile, then one byte a group that says whether the group is there."""
    blurred, given = pool.blurred, pool.sharp  # what the teacher gives is of the sharp picture's size
    groups = [range(first, min(first + GROUP, len(blurred))) for first in range(0, len(blurred), GROUP)]
    ends = given.size * 2  # bytes of a float16
    file = allocated(partial, (ends + len(groups),))  # an empty file grows, zeros
    teacher_output, there = file[:ends].view(np.float16).reshape(given.shape), file[ends:]
    processes.wait()  # every process has sized the file before any writes
    mine = range(len(groups))[processes.share]
    with progress.task("ask the teacher", sum(len(groups[group]) for group in mine)) as task:
        for group in mine:
            if not there[group]:
                for i in groups[group]:
                    teacher_output[i] = _picture(teacher, blurred[i], i)
                file.flush()
                there[group] = 1
            task.advance(len(groups[group]))
    file.flush()


@torch.no_grad()
def _picture(teacher: nn.Module, tile: Bytes, number: int) -> NDArray[np.float16]:
    """What the teacher makes of (H, W, 3), in fp32 whatever training computes in; one at a time, it may be large."""
    device = next((parameter.device for parameter in teacher.parameters()), torch.device("cpu"))
    blurred = torch.from_numpy(tile.transpose(2, 0, 1)[None].astype(np.float32) / 255)
    picture = teacher(blurred.to(device, memory_format=torch.channels_last))[0].half()
    if not picture.isfinite().all():
        raise StageError(f"the teacher's picture of tile {number} is not finite", hint="look for NaN in its weights")
    kept: NDArray[np.float16] = picture.permute(1, 2, 0).cpu().numpy()
    return kept
