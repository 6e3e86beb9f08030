"""What a sweep's coordinator costs by itself: up to 1000 recipes × 50 devices, whose workers answer at once.

Started by scale.py, a process for each measurement, so that each has its own peak of memory.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scale_store import peak_mb

from exporter.sweep import exports as of_exports
from exporter.sweep import workers as of_sweep
from exporter.sweep.exports import Export, exports_of
from exporter.sweep.run import Places, run_exports, split_finished
from exporter.sweep.task import Answer, Task
from exporter.sweep.workers import LocalWorkers

DEVICES = 50
AT_ONCE = 100  # answers that a coordinator of as many workers finds when it looks
WORK_S = 0.003  # so that the coordinator looks for every few answers, as it does when exports take their time
RECIPE = Path(__file__).parents[1] / "recipes" / "mobile_deblur.yaml"


class Instant:
    """Workers whose every task has ended when it is asked for: badly, so that there is no bundle to look into."""

    def __init__(self) -> None:
        self._open: deque[Task] = deque()
        self.busy_s = 0.0

    def start(self, tasks: Sequence[Task]) -> None:
        self._open += tasks

    def ended(self) -> dict[Task, str]:
        started_s = time.process_time()
        some = [self._open.popleft() for _ in range(min(AT_ONCE, len(self._open)))]
        for task in some:
            answer(task)
        self.busy_s += time.process_time() - started_s
        return dict.fromkeys(some, "")

    def end(self) -> None:
        return


def answer(task: Task) -> None:
    """What a worker leaves, without waiting for the disk."""
    said = Answer(task.attempt, 2, "simulated", "worker", 0.0)
    Path(task.folder, "answer.json").write_text(json.dumps({name: getattr(said, name) for name in Answer.__slots__}))


def sleep_and_answer(task: Task) -> None:
    time.sleep(WORK_S)
    answer(task)


def export_of(number: int) -> Export:
    recipe, device = divmod(number, DEVICES)
    settings = {"targets.int8.runtime": f"device-{device}"}
    return Export(f"r{recipe}--d{device}", Path(f"r{recipe}.yaml"), settings, settings, f"r{recipe}", "1.0", "0" * 64)


def coordinated(folder: Path, exports: int) -> dict[str, Any]:
    """Processor time of the coordinator alone, and its memory before and after."""
    places, workers = Places(folder / "build", folder / "dist", str(folder / "store")), Instant()
    before_mb = peak_mb()
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    planned = [export_of(number) for number in range(exports)]
    _, to_run = split_finished(planned, places)
    ended = run_exports(to_run, places, workers, lambda ended: None, lambda export, why: None)
    assert len(ended) == exports
    own_s = time.process_time() - cpu_s - workers.busy_s
    found = {
        "exports": exports,
        "cpu_ms_each": round(own_s / exports * 1e3, 3),
        "wall_s": round(time.perf_counter() - wall_s, 1),
        "started_mb": round(before_mb, 1),
        "peak_mb": round(peak_mb(), 1),
        "files": sum(len(files) for _, _, files in os.walk(folder)),
    }
    cpu_s = time.process_time()
    split_finished(planned, places)
    return found | {"asked_again_ms_each": round((time.process_time() - cpu_s) / exports * 1e3, 3)}


def local(folder: Path, exports: int) -> dict[str, Any]:
    """The same through the pool of this machine, its processes replaced."""
    of_sweep.work = sleep_and_answer
    places, workers = Places(folder / "build", folder / "dist", str(folder / "store")), LocalWorkers(2)
    cpu_s = time.process_time()
    planned = [export_of(number) for number in range(exports)]
    run_exports(planned, places, workers, lambda ended: None, lambda export, why: None)
    return {
        "exports": exports,
        "cpu_ms_each": round((time.process_time() - cpu_s) / exports * 1e3, 3),
        "peak_mb": round(peak_mb(), 1),
    }


def planned(folder: Path, exports: int) -> dict[str, Any]:
    """Reading and checking real recipes, before anything is started."""
    cpu_s = time.process_time()
    found = exports_of([str(RECIPE)], {}, [{"seed": str(number)} for number in range(exports)])
    return {"exports": len(found), "cpu_ms_each": round((time.process_time() - cpu_s) / exports * 1e3, 2)}


def named(folder: Path, exports: int) -> dict[str, Any]:
    """What is done with all exports together, their planning replaced."""
    numbers = iter(range(exports))
    of_exports._export = lambda *_: export_of(next(numbers))
    cpu_s = time.process_time()
    found = exports_of([str(RECIPE)], {}, [{}] * exports)
    return {"exports": len(found), "cpu_ms_each": round((time.process_time() - cpu_s) / exports * 1e3, 3)}


def main(what: str, folder: str, exports: str) -> None:
    parts = {"coordinated": coordinated, "local": local, "planned": planned, "named": named}
    sys.stdout.write(json.dumps(parts[what](Path(folder), int(exports))) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
