"""`exporter prepare`: many workers, one set of bytes, whoever is killed; and what training makes of it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.cli import main
from exporter.data import pool
from exporter.data.images import write_png
from exporter.progress import Silent
from exporter.recipes.train import load_train_recipe
from exporter.runs.train import train
from tests.conftest import REPO, picture
from tests.recipes.recipe_folder import write_train_recipe

MANY = 400  # pairs


@pytest.fixture
def recipe(tmp_path: Path, photo_folder: Path, narrow_teacher: Path) -> Path:
    path = write_train_recipe(tmp_path, photo_folder)
    path.write_text(f"{path.read_text()}teacher: {narrow_teacher}\n")
    return path


def words(recipe: Path, build: Path, pairs: int = 5, size: int = 64, labelled: bool = True) -> list[str]:
    kept = f"{{pairs: {pairs}, size_px: {size}, labelled: {str(labelled).lower()}}}"
    return [f"recipe={recipe}", "training.device=cpu", f"data.pool={kept}", "--build", str(build)]


def files(build: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in build.rglob("*.safetensors")}


def worker(*given: str, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "exporter", "prepare", *given]
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | environment
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPO, env=environment
    )


@pytest.mark.slow
def test_what_was_prepared_is_what_training_reads(
    recipe: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "SHARD_BYTES", 2 * 2 * 3 * 64 * 64)
    build = tmp_path / "build"
    given = words(recipe, build)
    assert main(["prepare", *given, "--json"]) == 0
    said = json.loads(capfd.readouterr().out)
    assert (said["pairs"], said["pictures"], said["shards"], said["drawn"], said["labelled"]) == (5, 4, 3, 3, 3)
    assert said["device"] == "CPU" and said["bytes"] == sum(map(len, files(build).values()))
    there = {file: file.stat().st_mtime_ns for file in (build / "pools").rglob("*.*")}
    overrides = dict(word.split("=", 1) for word in given[1:-2])
    card = train(load_train_recipe(recipe, overrides), tmp_path / "run", build / "pools", Silent())
    assert card["data"]["photographs"] == 4
    assert main(["prepare", *given]) == 0
    assert "made by this worker: 0 of pairs and 0 of labels" in capfd.readouterr().out
    assert {file: file.stat().st_mtime_ns for file in (build / "pools").rglob("*.*")} == there


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (["data.pool=null"], "demo keeps no pairs: data.pool is not set"),
        (["--workers", "0"], "--workers 0: at least 1"),
        (["data.pool={pairs: 1, size_px: 400}"], "px, a training crop is 400 px"),
        (["--on", "slurm"], "'slurm' is none of local, ray"),
    ],
)
def test_what_cannot_be_prepared(
    recipe: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], changed: list[str], says: str
) -> None:
    given = words(recipe, tmp_path / "build", labelled=False)
    keys = {word.split("=")[0] for word in changed}
    assert main(["prepare", *(word for word in given if word.split("=")[0] not in keys), *changed]) == 2
    assert says in capfd.readouterr().err
    assert not list((tmp_path / "build").rglob("*.safetensors"))


@pytest.fixture
def many(tmp_path: Path, narrow_teacher: Path) -> Path:
    """A recipe whose 150 pictures make four shards."""
    for seed in range(150):
        write_png(tmp_path / "many" / f"{seed}.png", picture(seed, 70, 70))
    path = write_train_recipe(tmp_path, tmp_path / "many")
    path.write_text(f"{path.read_text()}teacher: {narrow_teacher}\n")
    return path


@pytest.fixture
def alone(many: Path, tmp_path: Path) -> dict[str, bytes]:
    """What one worker makes of it."""
    assert main(["prepare", *words(many, tmp_path / "one", MANY)]) == 0
    made = files(tmp_path / "one")
    assert len(made) == 8
    return made


def once(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.005)


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_nothing(many: Path, tmp_path: Path, alone: dict[str, bytes]) -> None:
    """Of three that a shell started one is killed (kill -9) while it draws, one while it asks the teacher."""
    build = tmp_path / "build"
    workers = [worker(*words(many, build, MANY)) for _ in range(3)]
    for what, doomed in zip(("pairs", "teacher_output"), workers, strict=False):
        once(lambda what=what: list(build.glob(f"pools/??/*.{what}*.json")), doomed)
        os.kill(doomed.pid, signal.SIGKILL)
    assert [each.wait() for each in workers] == [-signal.SIGKILL, -signal.SIGKILL, 0]
    assert files(build) == alone


@pytest.mark.slow
def test_a_helper_that_is_killed_is_named(many: Path, tmp_path: Path, alone: dict[str, bytes]) -> None:
    build = tmp_path / "build"
    both = worker(*words(many, build, MANY), "--workers", "2")
    once(lambda: _children(both.pid) and list(build.glob("pools/??/*.pairs.json")), both)
    os.kill(_children(both.pid)[0], signal.SIGKILL)
    said, _ = both.communicate()
    assert both.returncode == 0
    assert "warning: worker 1 ended with SIGKILL (the memory may have been full); the others made its shards" in said
    assert files(build) == alone


def _children(pid: int) -> list[int]:
    return [int(number) for number in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.slow
def test_torchruns_workers_share_the_work(many: Path, tmp_path: Path, alone: dict[str, bytes]) -> None:
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    both = [sys.executable, *launch, "-m", "exporter", "prepare", *words(many, tmp_path / "two", MANY)]
    done = subprocess.run(both, capture_output=True, text=True, cwd=REPO, timeout=300)
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / "two") == alone


@pytest.mark.slow
@pytest.mark.extra("ray")
def test_ray_writes_the_same_bytes(many: Path, tmp_path: Path, alone: dict[str, bytes]) -> None:
    on_ray = worker(*words(many, tmp_path / "ray", MANY), "--on", "ray", "--workers", "2", "--json")
    said, complained = on_ray.communicate()
    assert on_ray.returncode == 0, complained
    assert files(tmp_path / "ray") == alone
    counted = json.loads(said)
    assert counted["drawn"] == counted["labelled"] == counted["shards"] == 4
