"""What does `exporter prepare` cost for ten pictures, and for many? Memory, time, files; and what a kill -9 leaves.

    .venv/bin/python benchmarks/prepare.py [--pictures 10 1000 10000] [--workers 2] [--keep FOLDER]

Noise of 64×64 px as PNG, one pair of 32 px a picture, labelled on the CPU by a small network with random weights. Each
run is an `exporter prepare` of its own: the most memory that its process held, its CPU time, its wall time. The largest
set is prepared by several workers, too, one of which is killed (kill -9) when some shards are there; the bytes are
compared with those of one worker. A second run of the finished pool says what looking at it costs. Writes
benchmarks/prepare.json. About 15 minutes on 2 cores.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from PIL import Image
from record import record

from exporter.generators.build import build_network, generator_info
from exporter.generators.description import Description
from exporter.generators.network_file import write_network

SIDE_PX, PAIR_PX = 64, 32
TEACHER, ARGUMENTS = "dncnn", {"in_nc": 3, "nc": 16, "nb": 4, "fold": 2}
KILLED_AT = 0.25  # of the files


def main(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    write_teacher(folder / "teacher.safetensors")
    rows = []
    for count in args.pictures:
        write_pictures(folder / f"photos{count}", count)
        recipe = write_recipe(folder, count)
        first = prepared(recipe, folder / f"build{count}")
        rows.append({"pictures": count, **first, "again": prepared(recipe, folder / f"build{count}")})
    whole = folder / f"build{args.pictures[-1]}"
    shared = killed(recipe, folder / "shared", args.workers, rows[-1]["files"])
    same = digests(whole) == digests(folder / "shared")
    return {"rows": rows, "workers": {"count": args.workers, "one_killed_same_bytes": same, **shared}}


def write_pictures(folder: Path, count: int) -> None:
    folder.mkdir(exist_ok=True)
    for seed in range(count):
        noise = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(noise).resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC).save(folder / f"{seed}.png")


def write_teacher(path: Path) -> None:
    torch.manual_seed(0)
    info = generator_info(TEACHER)
    write_network(build_network(info, ARGUMENTS), Description(TEACHER, ARGUMENTS, info.range, info.multiple), path)


def write_recipe(folder: Path, count: int) -> Path:
    path = folder / f"prepare{count}.yaml"
    path.write_text(
        f"name: prepare{count}\n"
        f"model: {{arch: {TEACHER}, kwargs: {{in_nc: 3, nc: 16, nb: 4, fold: 2}}}}\n"
        "teacher: teacher.safetensors\n"
        f"data: {{training: photos{count}, pool: {{pairs: {count}, size_px: {PAIR_PX}, labelled: true}}}}\n"
        "training: {crop_px: 32, device: cpu}\n"
    )
    return path


def command(recipe: Path, build: Path) -> list[str]:
    return [sys.executable, "-m", "exporter", "prepare", f"recipe={recipe}", "--build", str(build), "--json"]


def started(recipe: Path, build: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command(recipe, build), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def prepared(recipe: Path, build: Path) -> dict[str, Any]:
    before = time.monotonic()
    _, status, used = os.wait4(started(recipe, build).pid, 0)
    assert not status, f"{recipe} failed"
    return {
        "most_memory_mb": round(used.ru_maxrss / 1024, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "wall_s": round(time.monotonic() - before, 1),
        "files": sum(1 for _ in shards(build)),
        "bytes": sum(file.stat().st_size for file in shards(build)),
        "list_bytes": sum(file.stat().st_size for file in build.rglob("*.sqlite")),
    }


def killed(recipe: Path, build: Path, count: int, files: int) -> dict[str, Any]:
    """Some workers, of which the first is killed while they are at it: the others make all `files`."""
    before = time.monotonic()
    workers = [started(recipe, build) for _ in range(count)]
    while sum(1 for _ in shards(build)) < KILLED_AT * files:
        assert workers[0].poll() is None, "too few pictures to kill a worker in time"
        time.sleep(0.05)
    os.kill(workers[0].pid, signal.SIGKILL)
    codes = [worker.wait() for worker in workers]
    return {
        "exit_codes": codes,
        "wall_s": round(time.monotonic() - before, 1),
        "files": sum(1 for _ in shards(build)),
        "unfinished_folders_left": sum(1 for _ in build.rglob(".unfinished-*")),
    }


def shards(build: Path) -> Iterator[Path]:
    return build.glob("pools/??/*.safetensors")  # no look into folders that come and go


def digests(build: Path) -> dict[str, str]:
    return {file.name: sha256(file.read_bytes()).hexdigest() for file in shards(build)}


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, nargs="+", default=[10, 1000, 10_000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="where pictures and pools stay; a temporary folder without it")
    return parser.parse_args(words)


if __name__ == "__main__":
    given = arguments()
    if given.keep is None:
        with TemporaryDirectory() as scratch:
            record("prepare", main(given, Path(scratch)))
    else:
        given.keep.mkdir(parents=True, exist_ok=True)
        record("prepare", main(given, given.keep))
