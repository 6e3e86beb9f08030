"""Files that processes make side by side: each once, whole, whoever is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from exporter.cache.shards import make_missing, record_of
from exporter.files import locking
from exporter.processes.place import Place, place_of
from exporter.progress import Silent
from tests.conftest import REPO

WORKER = """
import sys, time
from pathlib import Path
from exporter.cache.shards import make_missing
from exporter.processes.place import Place
from exporter.progress import Silent
folder, rank, slow_s = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
def make(i, new):
    with new.open("wb") as file:
        file.write(bytes([i]) * 500)
        file.flush()
        time.sleep(slow_s)
        file.write(bytes([i]) * 500)
    return {"made by": rank}
print(make_missing("test", [folder / f"{i}.bin" for i in range(12)], make, Place(rank, 3), Silent()))
"""


def files_in(folder: Path) -> list[Path]:
    return [folder / f"{i}.bin" for i in range(12)]


def worker(folder: Path, rank: int, slow_s: float = 0.01) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, folder, str(rank), str(slow_s)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPO)


def whole(folder: Path) -> bool:
    return all(file.read_bytes() == bytes([i]) * 1000 for i, file in enumerate(files_in(folder)))


def makes(i: int, new: Path) -> str:
    new.write_bytes(bytes([i]) * 1000)
    return "made"


def test_workers_share_the_files_and_make_each_once(tmp_path: Path) -> None:
    workers = [worker(tmp_path, rank) for rank in range(3)]
    made = [int(each.communicate()[0]) for each in workers]
    assert sum(made) == 12 and whole(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(
        name for file in files_in(tmp_path) for name in (file.name, record_of(file).name)
    )


def test_what_a_killed_worker_held_is_made_by_the_others(tmp_path: Path) -> None:
    """kill -9 in the middle of a file: its half is never seen, and the one who waits for it goes on."""
    stuck = worker(tmp_path, 0, slow_s=600)
    deadline = time.monotonic() + 60
    while not (half := list(tmp_path.glob(".unfinished-*/new/0.bin"))) or half[0].stat().st_size != 500:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    other = worker(tmp_path, 1)
    while sum(record_of(file).exists() for file in files_in(tmp_path)) < 11:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert other.poll() is None and not files_in(tmp_path)[0].exists()  # it waits for the twelfth
    os.kill(stuck.pid, signal.SIGKILL)
    stuck.wait()
    assert int(other.communicate()[0]) == 12 and whole(tmp_path)
    assert make_missing("test", files_in(tmp_path), makes, Place(), Silent()) == 0
    assert not (set(tmp_path.iterdir()) - set(files_in(tmp_path)) - set(map(record_of, files_in(tmp_path)))) - set(
        tmp_path.glob(".unfinished-*")
    )


@pytest.mark.parametrize("damage", ["byte", "record", "file"])
def test_what_is_damaged_is_made_again_and_nothing_else(tmp_path: Path, damage: str) -> None:
    files = files_in(tmp_path)
    assert make_missing("test", files, makes, Place(), Silent()) == 12
    if damage == "byte":
        files[5].write_bytes(bytes(1000))
    else:
        (files[5] if damage == "file" else record_of(files[5])).unlink()
    assert make_missing("test", files, makes, Place(1, 4), Silent()) == 1  # the fifth is of its share
    assert whole(tmp_path)


def test_a_worker_looks_at_the_bytes_of_its_share_alone(tmp_path: Path) -> None:
    files = files_in(tmp_path)
    make_missing("test", files, makes, Place(), Silent())
    files[5].write_bytes(bytes(1000))
    assert [make_missing("test", files, makes, Place(rank, 4), Silent()) for rank in (0, 2, 3, 1)] == [0, 0, 0, 1]


def test_without_locks_on_the_file_system_all_is_made_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(locking.fcntl, "flock", no_locks)
    with pytest.raises(OSError, match="No locks"), locking.locked(tmp_path / "lock", wait=False):
        pass
    with locking.locked(tmp_path / "lock", wait=False, needed=False):
        pass


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("", Place()),
        ("RANK=3 WORLD_SIZE=4 LOCAL_RANK=1", Place(3, 4, 1)),
        ("RANK=7 WORLD_SIZE=4", Place()),
        ("SLURM_PROCID=2 SLURM_STEP_NUM_TASKS=4 SLURM_LOCALID=1", Place(2, 4, 1)),
        ("SLURM_PROCID=0 SLURM_NTASKS=4", Place()),  # a batch script, which srun has not started
        (
            "SLURM_ARRAY_TASK_ID=6 SLURM_ARRAY_TASK_MIN=4 SLURM_ARRAY_TASK_MAX=8 SLURM_ARRAY_TASK_COUNT=5",
            Place(2, 5),
        ),
        ("SLURM_ARRAY_TASK_ID=8 SLURM_ARRAY_TASK_MIN=4 SLURM_ARRAY_TASK_MAX=8 SLURM_ARRAY_TASK_COUNT=2", Place()),
        (
            "SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_MAX=1 SLURM_ARRAY_TASK_COUNT=2 "
            "SLURM_PROCID=1 SLURM_STEP_NUM_TASKS=2 SLURM_LOCALID=1",
            Place(3, 4, 1),
        ),
        ("RANK=one WORLD_SIZE=4", Place()),
    ],
)
def test_a_worker_knows_its_place(words: str, place: Place) -> None:
    assert place_of(dict(word.split("=") for word in words.split())) == place
