"""What do store, sweep and labelling cost by themselves, at 1000 recipes × 50 devices and 10⁶ pictures?

    .venv/bin/python benchmarks/scale.py [--small]

The work (stages, exports, pictures) is replaced by nothing or by a sleep; files, locks, leases and records are the real
ones, in memory (/dev/shm) where it is there: how long a disk takes is the disk's. Processor time is said beside what
the wall's clock says, which other programs lengthen. Writes benchmarks/scale.json and scale.md. Eighteen minutes on 2
cores that others use, too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from record import record
from scale_table import table

HERE = Path(__file__).parent
MEMORY = Path("/dev/shm")
RECIPES, DEVICES, PICTURES = 1000, 50, 10**6


def part(script: str, what: str, *numbers: int, on_disk: bool = False) -> dict[str, Any]:
    """One measurement in a process and a folder of its own."""
    with _folder(on_disk) as folder:
        words = [sys.executable, str(HERE / f"{script}.py"), what, folder, *map(str, numbers)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{what} {numbers}: {done.stderr}")
    sys.stderr.write(f"{script} {what} {' '.join(map(str, numbers))}\n")
    return dict(json.loads(done.stdout))


@contextmanager
def _folder(on_disk: bool) -> Iterator[str]:
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() and not on_disk else None, prefix="scale-") as folder:
        yield folder


def main(share: float = 1.0) -> dict[str, Any]:
    """`share` of the real numbers, so that a test may look at all of it."""

    def some(*numbers: int) -> list[int]:
        return [max(4, round(number * share)) for number in numbers]

    began_s = time.monotonic()
    exports = RECIPES * DEVICES
    (own_entries,) = some(RECIPES * (4 + DEVICES))
    recipes, devices = max(2, round(20 * share)), max(2, round(DEVICES * share))
    figures: dict[str, Any] = {
        "asked_for": {"recipes": RECIPES, "devices": DEVICES, "pictures": PICTURES},
        "store": [part("scale_store", "grown", number) for number in some(10**3, 10**4, 10**5)],
        "store_on_disk": [part("scale_store", "grown", number, on_disk=True) for number in some(10**3, 10**4)],
        "folders": [part("scale_store", "flat", number, on_disk=True) for number in some(10**3, 10**4, 10**5)],
        "exports": [
            part("scale_store", "exports", recipes, devices, workers, entries)
            for workers, entries in ((1, 1), (2, 1), (4, 1), (2, own_entries))
        ],
        "calls": part("scale_store", "calls"),
        "coordinator": [part("scale_sweep", "coordinated", number) for number in some(1000, 10_000, exports)],
        "pool_of_this_machine": [part("scale_sweep", "local", number) for number in some(1000, 4000, 8000)],
        "planning": [part("scale_sweep", "planned", number) for number in some(10, 40)],
        "planning_together": [part("scale_sweep", "named", number) for number in some(1000, 10_000, exports)],
        "labels": [part("scale_labels", "shared", number, 1) for number in some(10**4, 10**5, PICTURES)],
        "labels_by_several": [part("scale_labels", "shared", number, 4) for number in some(PICTURES)],
    }
    return figures | {"took_s": round(time.monotonic() - began_s)}


if __name__ == "__main__":
    result = record("scale", main(0.01 if "--small" in sys.argv[1:] else 1.0))
    (HERE / "scale.md").write_text(table(result))
