"""Sweeps on a real Slurm: one node of two processors on this machine, put together from Debian's packages."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.cli import main
from exporter.errors import NoCluster, RecipeError
from exporter.sweep.run import Ended, run_exports
from exporter.sweep.slurm import SlurmWorkers
from tests.conftest import REPO
from tests.installed import put_together
from tests.sweep.clusters import bytes_of, is_running, kill_when, sweep
from tests.sweep.conftest import Digests
from tests.sweep.scripts import BUNDLE, ONCE, export_called, places_in, scripted
from tools.toolchains.slurm import SlurmToolchain

pytestmark = [pytest.mark.slow, pytest.mark.extra("slurm")]
TIMED = "log = bundle.parents[1] / 'log'; log.mkdir(parents=True, exist_ok=True); begun = time.time()\n"
# SLURM_JOB_ID of one task of an array is the array's own: all of it would be cancelled.
JOB = "job = '{SLURM_ARRAY_JOB_ID}_{SLURM_ARRAY_TASK_ID}' if 'SLURM_ARRAY_JOB_ID' in os.environ else '{SLURM_JOB_ID}'\n"
JOB += "job = job.format(**os.environ)\n"
NOTED = "(log / f'{begun} {time.time()}').touch()\n"


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    toolchain = SlurmToolchain()
    put_together(toolchain)
    with toolchain.cluster(tmp_path_factory.mktemp("slurm") / "cluster") as environment:
        yield environment


@pytest.fixture(autouse=True)
def _environment(slurm: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PATH", "SLURM_CONF"):
        monkeypatch.setenv(name, slurm[name])
    monkeypatch.setenv("PYTHONPATH", str(REPO))


def run(folder: Path, names: tuple[str, ...], number: int | None = None) -> tuple[dict[str, Ended], list[str]]:
    places, lost = places_in(folder), list[str]()
    workers = SlurmWorkers(places.build / "slurm", number, {})
    exports = [export_called(name) for name in names]
    ended = run_exports(exports, places, workers, lambda one: None, lambda one, why: lost.append(why))
    return {each.export.name: each for each in ended}, lost


def queued() -> list[str]:
    return subprocess.run(["squeue", "--noheader"], capture_output=True, text=True, check=True).stdout.splitlines()


def test_one_word_takes_a_recipe_to_two_workers_and_the_bytes_are_the_same(
    alone: tuple[Path, Digests], recipe_folder: Path
) -> None:
    found = sweep("two", "--on", "slurm", "--workers", "2")
    assert found["exit_code"] == 0, found
    assert bytes_of(found) == alone[1]
    assert any(file.endswith(".int8.tflite") for files in alone[1].values() for file in files)


def test_an_export_that_is_killed_is_run_again_and_named(alone: tuple[Path, Digests], recipe_folder: Path) -> None:
    """Kill -9 in the middle of it: its stages are gone on from, its bytes are those of an undisturbed run."""
    stages = recipe_folder / "build/sweeps/killed/tiny--quantize_tflite.ranges-mse/tiny/stages"
    killed: list[int] = []
    killer = threading.Thread(target=lambda: killed.extend(kill_when(stages, "exporter", "recipe=", "ranges-mse")))
    killer.start()
    found = sweep("killed", "--on", "slurm", "--workers", "1")
    killer.join()
    assert killed
    assert found["exit_code"] == 0, found
    lost = {each["name"]: each["lost_workers"] for each in found["exports"]}
    assert "SIGKILL" in lost.pop("tiny--quantize_tflite.ranges-mse")[0]
    assert [*lost.values()] == [[]]
    assert bytes_of(found) == alone[1]
    assert "tried twice" in Path("dist/killed/summary.md").read_text()


def test_a_worker_that_is_killed_takes_its_export_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job's own process, which would have answered."""
    kill = "os.kill(os.getppid(), signal.SIGKILL); time.sleep(600)"
    pid = f"pathlib.Path({str(tmp_path)!r}, 'pid').write_text(str(os.getpid()))"
    scripted(monkeypatch, {"one": f"{ONCE}if first:\n    {pid}; {kill}\n{BUNDLE}"})
    ended, lost = run(tmp_path, ("one",))
    assert ended["one"].record.exit_code == 0
    assert lost == ["its worker was lost: its job is failed"]
    assert not is_running(int((tmp_path / "pid").read_text()))


def test_a_job_that_somebody_cancels_is_submitted_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cancel = "os.system(f'scancel {job}'); time.sleep(600)"
    scripted(monkeypatch, {"one": f"{JOB}{ONCE}if first:\n    {cancel}\n{BUNDLE}", "two": f"{JOB}{cancel}\n"})
    ended, lost = run(tmp_path, ("one", "two"))
    assert {name: each.record.exit_code for name, each in ended.items()} == {"one": 0, "two": 4}
    assert all("its job was cancelled" in why for why in lost)
    assert ended["two"].record.said.startswith("lost 2 times: ")


def test_a_time_limit_is_a_lost_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slurm counts in minutes."""
    scripted(monkeypatch, {"one": f"{ONCE}if first:\n    time.sleep(600)\n{BUNDLE}"})
    places, lost = places_in(tmp_path), list[str]()
    workers = SlurmWorkers(places.build / "slurm", None, {"time": "1"})
    exports = [export_called("one")]
    (ended,) = run_exports(exports, places, workers, lambda one: None, lambda one, why: lost.append(why))
    assert ended.record.exit_code == 0
    assert "its time limit was over" in lost[0]


def test_no_more_run_at_a_time_than_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does one that is tried again, although the node has room."""
    names = ("a", "b", "c")
    script = f"{TIMED}time.sleep(0.3)\n{NOTED}{BUNDLE}"
    again = f"{TIMED}{ONCE}time.sleep(0.3)\n{NOTED}if first:\n    sys.exit(143)\n{BUNDLE}"
    scripted(monkeypatch, {"a": again, "b": script, "c": script})
    ended, lost = run(tmp_path, names, number=1)
    assert {each.record.exit_code for each in ended.values()} == {0}
    assert len(lost) == 1
    spans = sorted(tuple(map(float, path.name.split())) for path in (tmp_path / "dist" / "log").iterdir())
    assert len(spans) == 4
    assert all(before[1] <= after[0] for before, after in zip(spans, spans[1:], strict=False))


def test_ctrl_c_cancels_jobs_and_kills_what_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = f"pathlib.Path({str(tmp_path)!r}, str(os.getpid())).touch(); time.sleep(600)"
    scripted(monkeypatch, dict.fromkeys(("one", "two", "three"), slow))

    def interrupt() -> None:
        while len([path for path in tmp_path.iterdir() if path.name.isdigit()]) < 2:
            time.sleep(0.05)
        import _thread

        _thread.interrupt_main()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, ("one", "two", "three"))
    thread.join()
    assert queued() == []
    assert not any(is_running(int(path.name)) for path in tmp_path.iterdir() if path.name.isdigit())


def test_jobs_of_a_sweep_that_was_killed_do_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, {"one": "time.sleep(600)"})
    from exporter.sweep.run import _task

    places = places_in(tmp_path)
    SlurmWorkers(places.build / "slurm", None, {}).start([_task(export_called("one"), places)])
    assert len(queued()) == 1
    SlurmWorkers(places.build / "slurm", None, {})
    assert queued() == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"partition": "gone"}, "partition=gone: Slurm has no such partition"),
        ({"time": "soon"}, "Slurm refused the jobs: "),
        ({"no-such-option": "1"}, "no-such-option"),
        ({"gpus": "4"}, "Slurm refused the jobs: "),
    ],
)
def test_what_slurm_refuses_is_a_mistake_of_the_command(
    options: dict[str, str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, {"one": BUNDLE})
    places = places_in(tmp_path)
    with pytest.raises(RecipeError) as caught:
        workers = SlurmWorkers(places.build / "slurm", None, options)
        run_exports([export_called("one")], places, workers, lambda one: None, lambda one, why: None)
    assert says in str(caught.value)
    assert queued() == []


def test_options_reach_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, {"one": BUNDLE})
    places = places_in(tmp_path)
    workers = SlurmWorkers(places.build / "slurm", None, {"partition": "all", "cpus-per-task": "2", "time": "7"})
    run_exports([export_called("one")], places, workers, lambda one: None, lambda one, why: None)
    show = ["scontrol", "show", "job", "--oneliner"]
    job = subprocess.run(show, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
    for word in ("Partition=all", "NumCPUs=2", "TimeLimit=00:07:00", "Requeue=0", "JobState=COMPLETED"):
        assert word in job


def test_a_controller_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = "ClusterName=none\nSlurmctldHost=localhost(127.0.0.1)\nSlurmctldPort=1\nMessageTimeout=2\n"
    (tmp_path / "slurm.conf").write_text(dead)
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    with pytest.raises(NoCluster, match="Slurm does not answer: "):
        SlurmWorkers(tmp_path / "jobs", None, {})


def test_a_recipe_that_is_wrong_reaches_no_cluster(recipe_folder: Path) -> None:
    assert main(["sweep", "tiny.yaml", "seed=many", "--on", "slurm"]) == 2
    assert queued() == []
