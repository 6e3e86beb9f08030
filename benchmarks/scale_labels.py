"""What sharing pairs and labels out among workers costs by itself, for up to 10⁶ pictures: no picture is read.

Started by scale.py, a process for each measurement, so that each has its own peak of memory. The list of pictures holds
made-up digests, and a shard is a file of a few bytes; everything else is what `exporter prepare` does.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

from scale_store import peak_mb

from exporter.cache.shards import make_missing
from exporter.data.listing import TABLE, Listing
from exporter.data.pool import PoolPlan, PoolSource, PoolSources, plan_pool
from exporter.processes.place import Place
from exporter.progress import Silent

SIZE_PX = 64


def listing_of(folder: Path, pictures: int) -> Listing:
    """A list as `list_pictures` leaves it."""
    file = folder / "pictures.sqlite"

    def rows() -> Iterator[tuple[bytes, None, str, str]]:
        for number in range(pictures):
            yield f"{number // 1000:04d}/{number:07d}.png".encode(), None, "", sha256(str(number).encode()).hexdigest()

    if not file.exists():
        with closing(sqlite3.connect(file)) as base:
            base.execute("PRAGMA synchronous = OFF")
            base.execute(TABLE)
            base.executemany("INSERT INTO picture VALUES (?, ?, ?, ?)", rows())
            base.execute("CREATE INDEX content ON picture (sha256, path, other)")
            base.commit()
    return Listing(folder, file, pictures, "0" * 64, False)


def plan(folder: Path, pictures: int) -> PoolPlan:
    """One pair of a picture."""
    sources = PoolSources((PoolSource(listing_of(folder, pictures)),))
    return plan_pool(folder / "pool", sources, pictures, SIZE_PX, 0)


def shared(folder: Path, pictures: int, workers: int) -> dict[str, Any]:
    """Every worker plans by itself, and all make the shards side by side."""
    listing_of(folder, pictures)
    words = [sys.executable, __file__, "worker", str(folder), str(pictures)]
    started_s = time.monotonic()
    running = [subprocess.Popen([*words, str(rank), str(workers)], stdout=subprocess.PIPE) for rank in range(workers)]
    said = [json.loads(process.communicate()[0]) for process in running]
    shards = said[0]["shards"]
    assert sum(each["made"] for each in said) == shards, "each was made once"
    return {
        "pictures": pictures,
        "workers": workers,
        "shards": shards,
        "wall_s": round(time.monotonic() - started_s, 1),
        "plan_cpu_s": max(each["plan_cpu_s"] for each in said),
        "shard_cpu_ms": round(sum(each["cpu_s"] for each in said) / shards * 1e3, 2),
        "started_mb": said[0]["started_mb"],
        "peak_mb": max(each["peak_mb"] for each in said),
        "files": sum(1 for path in (folder / "pool").rglob("*") if path.is_file()),
    }


def worker(folder: Path, pictures: int, rank: int, workers: int) -> dict[str, Any]:
    started_mb, begun_s = peak_mb(), time.process_time()
    planned = plan(folder, pictures)
    plan_cpu_s = time.process_time() - begun_s

    def make(number: int, new: Path) -> dict[str, int]:
        new.write_bytes(b"pairs")
        return {"pairs": planned.shards[number].pairs}

    begun_s = time.process_time()
    made = make_missing("simulated", planned.files(), make, Place(rank, workers), Silent())
    return {
        "shards": len(planned.shards),
        "made": made,
        "plan_cpu_s": round(plan_cpu_s, 2),
        "cpu_s": time.process_time() - begun_s,
        "started_mb": round(started_mb, 1),
        "peak_mb": round(peak_mb(), 1),
    }


def main(what: str, folder: str, *numbers: str) -> None:
    said = {"shared": shared, "worker": worker}[what](Path(folder), *map(int, numbers))
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
