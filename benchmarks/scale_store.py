"""What a store of finished stages costs by itself, at 10³ to 10⁵ entries: every operation, its listing, its memory.

Started by scale.py, a process for each measurement, so that each has its own peak of memory. Stages are replaced by
files that are there already; everything else is the exporter's.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Any

from exporter.cache.entries import entries_of
from exporter.cache.made_from import MADE_FROM, to_record
from exporter.cache.prune import prune_store
from exporter.cache.sealed import files_below, seal
from exporter.cache.store import Key, Store, open_store

PARTS = {f"code exporter/module_{number}.py": f"{number:064x}" for number in range(100)}  # as many as stages have
MACHINE = {"cpu": "simulated", "cores": "2"}
MODEL_BYTES = 4096
TIMES = 100  # each operation


def key_of(number: int, stage: str = "quantize_tflite") -> Key:
    return Key(stage, {**PARTS, "stage": stage, "source": f"{number:064x}"}, MACHINE)


def make(record: Path, key: Key) -> None:
    """Stands for the work: a small model and what lies beside it."""
    folder = record.parent
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "model.tflite").write_bytes(sha256(key.entry.encode()).digest() * (MODEL_BYTES // 32))
    (folder / "facts.json").write_text('{"simulated": true}')
    (folder / MADE_FROM).write_text(to_record(key.parts))
    seal(record, {"path": "model.tflite"}, files_below(folder, but=record))


def store_at(place: str) -> Store:
    def complain(line: str) -> None:
        if line.startswith("warning"):
            raise SystemExit(line)

    return Store(open_store(place), complain)


def fill(place: Path, entries: int) -> None:
    """Entries as they lie in a store, written without waiting for the disk; only the first can be fetched."""
    store_at(str(place))
    record = place.parent / "sample" / "artifact.json"
    key = key_of(0)
    store_at(str(place)).once(key, record, lambda: make(record, key), "simulated")
    sample = {path.name: path.read_bytes() for path in (place / "v1" / key.entry).iterdir()}
    for number in range(1, entries):
        folder = place / "v1" / key_of(number).entry
        folder.mkdir(parents=True)
        for name, content in sample.items():
            (folder / name).write_bytes(content)


def grown(folder: Path, entries: int) -> dict[str, Any]:
    """Milliseconds of each operation in a store that holds so many entries, and what looking over all of them takes."""
    place = folder / "store"
    started_s = time.monotonic()
    fill(place, entries)
    found: dict[str, Any] = {"entries": entries, "filled_s": round(time.monotonic() - started_s, 1)}
    store, new = store_at(str(place)), folder / "new"

    def fetch(number: int) -> None:
        assert store.fetch(key_of(0), new / str(number) / "artifact.json")

    def publish(number: int) -> None:
        record, key = new / f"made{number}" / "artifact.json", key_of(-1 - number)
        store.once(key, record, lambda: make(record, key), "simulated")

    found["miss"] = timed(lambda number: store.fetch(key_of(10**9 + number), new / "none" / "artifact.json"))
    found["take"] = timed(fetch)
    found["make"] = timed(lambda number: make(new / f"alone{number}" / "artifact.json", key_of(number)))
    found["make_and_put"] = timed(publish)
    shutil.rmtree(new)
    started_s, before_mb = time.monotonic(), peak_mb()
    listed = sum(1 for _ in entries_of(store.shelf))
    found["listed_s"] = round(time.monotonic() - started_s, 2)
    found["listing_mb"] = round(peak_mb() - before_mb, 1)
    total_bytes = sum(entry.size_bytes for entry in entries_of(store.shelf))
    started_s = time.monotonic()
    done = prune_store(store.shelf, round(total_bytes * (1 - TIMES / listed)))
    found |= {"prune_s": round(time.monotonic() - started_s, 2), "pruned": done.entries, "peak_mb": round(peak_mb(), 1)}
    found["files"] = sum(len(files) for _, files in store.shelf.entries())
    return found


def flat(folder: Path, entries: int) -> dict[str, Any]:
    """The same number of names in one folder and in 256: what a listing that asks each for its state takes."""
    for number in range(entries):
        digest = sha256(str(number).encode()).hexdigest()
        for parent in ("flat", f"shards/{digest[:2]}"):
            (folder / parent).mkdir(parents=True, exist_ok=True)
            (folder / parent / digest).touch()

    def listing(parents: list[Path]) -> float:
        started_s = time.monotonic()
        for parent in parents:
            with os.scandir(parent) as items:
                assert all(item.stat().st_size == 0 for item in items)
        return round(time.monotonic() - started_s, 2)

    one, shards = [folder / "flat"], sorted((folder / "shards").iterdir())
    found = {"entries": entries, "one_folder_s": listing(one), "shards_s": listing(shards)}
    largest = max(sum(1 for _ in shard.iterdir()) for shard in shards)
    return found | {"largest_shard": largest, "folder_bytes": one[0].stat().st_size}


def exports(folder: Path, recipes: int, devices: int, workers: int, entries: int) -> dict[str, Any]:
    """`recipes` × `devices` exports of four stages that a recipe's devices share and one of its own, over `workers`."""
    place = folder / "store"
    fill(place, max(1, entries))
    words = [sys.executable, __file__, "worker", str(place), str(folder), str(recipes), str(devices)]
    started_s = time.monotonic()
    running = [subprocess.Popen([*words, str(rank), str(workers)], stdout=subprocess.PIPE) for rank in range(workers)]
    said = [json.loads(process.communicate()[0]) for process in running]
    elapsed_s = time.monotonic() - started_s
    asked, made = sum(each["asked"] for each in said), sum(each["made"] for each in said)
    assert made == recipes * (4 + devices), "each was made once"
    return {
        "recipes": recipes,
        "devices": devices,
        "workers": workers,
        "entries_before": entries,
        "asked": asked,
        "made": made,
        "elapsed_s": round(elapsed_s, 1),
        "asked_per_s": round(asked / elapsed_s),
        "worker_peak_mb": round(max(each["peak_mb"] for each in said), 1),
    }


def worker(place: str, folder: Path, recipes: int, devices: int, rank: int, workers: int) -> dict[str, Any]:
    """Every `workers`-th export: all workers come to a recipe at once, as a sweep's do."""
    store, asked, made = store_at(place), 0, 0
    for export in range(rank, recipes * devices, workers):
        recipe, device = divmod(export, devices)
        keys = [key_of(recipe, f"shared{number}") for number in range(4)]
        keys.append(replace(key_of(recipe, "own"), machine={**MACHINE, "device": str(device)}))
        for key in keys:
            record = folder / f"build{rank}" / key.stage / "artifact.json"
            here: list[bool] = []

            def work(key: Key = key, record: Path = record, here: list[bool] = here) -> None:
                here.append(True)
                make(record, key)

            store.once(key, record, work, "simulated")
            asked, made = asked + 1, made + len(here)
    return {"asked": asked, "made": made, "peak_mb": peak_mb()}


def calls(folder: Path) -> dict[str, dict[str, int]]:
    """What each operation asks of a bucket."""
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }
    s3fs.S3FileSystem().mkdir("simulated")
    counts: dict[str, int] = {}
    call = s3fs.S3FileSystem._call_s3

    async def counted(self: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        counts[method] = counts.get(method, 0) + 1
        return await call(self, method, *args, **kwargs)

    s3fs.S3FileSystem._call_s3 = counted

    def during(work: Callable[[], object]) -> dict[str, int]:
        counts.clear()
        work()
        return dict(sorted(counts.items()))

    opened: list[Store] = []
    found = {"open": during(lambda: opened.append(store_at("s3://simulated/store")))}
    store, record, key = opened[0], folder / "one" / "artifact.json", key_of(1)
    found["miss"] = during(lambda: store.fetch(key, record))
    found["make and put"] = during(lambda: store.once(key, record, lambda: make(record, key)))
    found["take"] = during(lambda: store.fetch(key, folder / "two" / "artifact.json"))
    found["list one"] = during(lambda: list(entries_of(store.shelf)))
    found["prune one"] = during(lambda: prune_store(store.shelf, 0))
    server.stop()
    return found


def timed(work: Callable[[int], object]) -> dict[str, float]:
    """Medians: what a clock on the wall says, on whatever else the machine does, and processor time."""
    wall_s, cpu_s = [], []
    for number in range(TIMES):
        started_s, busy_s = time.perf_counter(), time.process_time()
        work(number)
        wall_s.append(time.perf_counter() - started_s)
        cpu_s.append(time.process_time() - busy_s)
    return {"wall_ms": round(median(wall_s) * 1e3, 2), "cpu_ms": round(median(cpu_s) * 1e3, 2)}


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main(what: str, *words: str) -> None:
    if what == "worker":
        place, folder, *numbers = words
        said: Any = worker(place, Path(folder), *map(int, numbers))
    else:
        folder, *numbers = words
        said = {"grown": grown, "flat": flat, "exports": exports, "calls": calls}[what](
            Path(folder), *map(int, numbers)
        )
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
