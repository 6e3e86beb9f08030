"""Sweeps on a real Ray cluster: a head and a second node on this machine, each with processes of its own."""

from __future__ import annotations

import _thread
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.cli import main
from exporter.errors import NoCluster
from exporter.sweep.ray_cluster import RayWorkers
from exporter.sweep.run import Ended, run_exports
from tests.conftest import REPO
from tests.sweep.clusters import bytes_of, is_running, kill_when, sweep
from tests.sweep.conftest import Digests
from tests.sweep.scripts import BUNDLE, ONCE, export_called, places_in, scripted

pytestmark = [pytest.mark.slow, pytest.mark.extra("ray")]
PARENT = "os.getppid()"  # Ray's process, which waits for the export's


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PYTHONPATH", str(REPO))
        from ray.cluster_utils import Cluster

        both = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        both.add_node(num_cpus=1)
        try:
            yield both
        finally:
            both.shutdown()


@pytest.fixture(autouse=True)
def _environment(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    monkeypatch.setenv("PYTHONPATH", str(REPO))


def run(
    folder: Path, names: tuple[str, ...], number: int | None = None, **options: str
) -> tuple[dict[str, Ended], list[str]]:
    lost: list[str] = []
    exports = [export_called(name) for name in names]
    workers = RayWorkers(number, options)
    ended = run_exports(exports, places_in(folder), workers, lambda one: None, lambda one, why: lost.append(why))
    return {each.export.name: each for each in ended}, lost


def test_two_nodes_make_the_bytes_that_one_worker_makes(alone: tuple[Path, Digests], recipe_folder: Path) -> None:
    found = sweep("two", "--on", "ray")
    assert found["exit_code"] == 0, found
    assert bytes_of(found) == alone[1]


def test_an_export_that_is_killed_is_run_again_and_named(alone: tuple[Path, Digests], recipe_folder: Path) -> None:
    stages = recipe_folder / "build/sweeps/killed_ray/tiny--quantize_tflite.ranges-mse/tiny/stages"
    killed: list[int] = []
    killer = threading.Thread(target=lambda: killed.extend(kill_when(stages, "exporter", "recipe=", "ranges-mse")))
    killer.start()
    found = sweep("killed_ray", "--on", "ray", "--workers", "1")
    killer.join()
    assert killed
    assert found["exit_code"] == 0, found
    lost = {each["name"]: each["lost_workers"] for each in found["exports"]}
    assert "SIGKILL" in lost["tiny--quantize_tflite.ranges-mse"][0]
    assert bytes_of(found) == alone[1]


def test_a_worker_that_is_killed_takes_its_export_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = f"pathlib.Path({str(tmp_path)!r}, 'pid').write_text(str(os.getpid()))"
    kill = f"os.kill({PARENT}, signal.SIGKILL); time.sleep(600)"
    scripted(monkeypatch, {"one": f"{ONCE}if first:\n    {pid}; {kill}\n{BUNDLE}", "two": f"{kill}\n"})
    ended, lost = run(tmp_path, ("one", "two"))
    assert {name: each.record.exit_code for name, each in ended.items()} == {"one": 0, "two": 4}
    assert lost == ["its worker was lost: its process was killed"] * 2
    assert not is_running(int((tmp_path / "pid").read_text()))


def test_ctrl_c_kills_what_runs_and_the_rest_never_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = tmp_path / "begun"
    begun.mkdir()
    slow = f"pathlib.Path({str(begun)!r}, str(os.getpid())).touch(); time.sleep(600)"
    scripted(monkeypatch, dict.fromkeys(("one", "two", "three"), slow))

    def interrupt() -> None:
        while not any(begun.iterdir()):
            time.sleep(0.05)
        _thread.interrupt_main()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, ("one", "two", "three"), number=1)
    thread.join()
    (one,) = (int(path.name) for path in begun.iterdir())
    late_s = time.monotonic() + 20
    while is_running(one) and time.monotonic() < late_s:
        time.sleep(0.05)
    assert not is_running(one)


def test_signals_are_ours_while_ray_is_connected(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    workers = RayWorkers(1, {})
    try:
        assert signal.getsignal(signal.SIGTERM) is before
    finally:
        workers.end()


def test_where_no_cluster_answers(tmp_path: Path) -> None:
    """In a process of its own: this one's is found without an address."""
    code = (
        "from exporter.sweep.ray_cluster import RayWorkers\n"
        "from exporter.errors import NoCluster\n"
        "try:\n    RayWorkers(1, {'address': '127.0.0.1:1'})\nexcept NoCluster as error:\n    print(error)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert "no Ray cluster answers at 127.0.0.1:1" in done.stdout
    assert "hint: ray start --head" in done.stdout


def test_a_sweep_says_so_with_exit_code_4(
    recipe_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise NoCluster("no Ray cluster answers at auto")

    monkeypatch.setattr("exporter.sweep.ray_cluster._connect", gone)
    assert main(["sweep", "tiny.yaml", "--on", "ray", "--name", "nowhere"]) == 4
    assert "no Ray cluster answers" in capsys.readouterr().err
