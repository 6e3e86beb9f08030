"""What does a sweep cost beside its exports? Trivial programs as exports, plain and on every kind of worker.

    .venv/bin/python benchmarks/sweep_overhead.py

The same program, which sleeps a moment and writes what a bundle is told by, is run
  plain   as a process after the other, by nobody
  local   by a sweep's pool, one at a time
  slurm   by a sweep on a real Slurm of one node and two processors, one at a time and two (Debian's, put together here)
  ray     by a sweep on a real Ray cluster of two nodes of one processor, one at a time and two
Planning, summaries and the start of a cluster are not in it. Writes benchmarks/sweep_overhead.json: seconds of a sweep,
what each export takes longer than it sleeps, and the coordinator's own processor time and memory.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from record import record

from exporter.sweep import run
from exporter.sweep.exports import Export
from exporter.sweep.ray_cluster import RayWorkers
from exporter.sweep.run import Places, run_exports
from exporter.sweep.slurm import SlurmWorkers
from exporter.sweep.workers import LocalWorkers, Workers
from tools.toolchains.slurm import SlurmToolchain

EXPORTS, SLEEP_S = 20, 0.2
PROGRAM = "import pathlib, time; time.sleep({sleep}); b = pathlib.Path({bundle!r}); b.mkdir(parents=True, exist_ok=True); (b / 'SHA256SUMS').touch()"  # fmt: skip # noqa: E501
Figures = dict[str, float]


def main() -> None:
    found: dict[str, Figures] = {"plain": _plain()}
    found["local, one at a time"] = _sweep(lambda folder: LocalWorkers(1))
    with _slurm():
        found["slurm, one at a time"] = _sweep(lambda folder: SlurmWorkers(folder / "jobs", 1, {}))
        found["slurm, two at a time"] = _sweep(lambda folder: SlurmWorkers(folder / "jobs", 2, {}), beside=2)
    with _ray():
        found["ray, one at a time"] = _sweep(lambda folder: RayWorkers(1, {}))
        found["ray, two at a time"] = _sweep(lambda folder: RayWorkers(2, {}), beside=2)
    record("sweep_overhead", {"exports": EXPORTS, "sleep_s": SLEEP_S, "workers": found})


def _words(export: Export, places: Places) -> tuple[str, ...]:
    bundle = places.dist.absolute() / export.name / f"{export.bundle_name}-{export.bundle_version}"
    return "-c", PROGRAM.format(sleep=SLEEP_S, bundle=str(bundle))


def _exports() -> list[Export]:
    return [Export(f"e{i}", Path(f"e{i}.yaml"), {}, {}, "b", "1", "i") for i in range(EXPORTS)]


def _places(folder: Path) -> Places:
    return Places(folder / "build", folder / "dist", str(folder / "store"))


def _plain() -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        started_s = time.monotonic()
        for export in _exports():
            subprocess.run([sys.executable, *_words(export, _places(Path(folder)))], check=True)
        return _figures(time.monotonic() - started_s, 0.0, beside=1)


def _sweep(workers: Callable[[Path], Workers], beside: int = 1) -> Figures:
    with tempfile.TemporaryDirectory() as folder, patch.object(run, "_words", _words):
        before_s, started_s = _cpu_s(), time.monotonic()
        exports, places = _exports(), _places(Path(folder))
        ended = run_exports(exports, places, workers(Path(folder)), lambda one: None, lambda one, why: None)
        assert all(one.record.exit_code == 0 and not one.record.losses for one in ended)
        return _figures(time.monotonic() - started_s, _cpu_s() - before_s, beside)


def _figures(wall_s: float, cpu_s: float, beside: int) -> Figures:
    return {
        "wall_s": round(wall_s, 2),
        "overhead_each_s": round(wall_s * beside / EXPORTS - SLEEP_S, 3),
        "coordinator_cpu_s": round(cpu_s, 2),
        "coordinator_peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@contextmanager
def _slurm() -> Iterator[None]:
    toolchain = SlurmToolchain()
    if toolchain.installed() is not None:
        toolchain.install(lambda line: None)
    with (
        tempfile.TemporaryDirectory() as folder,
        toolchain.cluster(Path(folder) / "c") as found,
        patch.dict(os.environ, found),
    ):
        yield


@contextmanager
def _ray() -> Iterator[None]:
    with patch.dict(os.environ, {"RAY_USAGE_STATS_ENABLED": "0"}):
        from ray.cluster_utils import Cluster

        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        cluster.add_node(num_cpus=1)
        try:
            with patch.dict(os.environ, {"RAY_ADDRESS": cluster.address}):
                yield
        finally:
            cluster.shutdown()


if __name__ == "__main__":
    main()
