"""SIGTERM and SIGHUP end like Ctrl-C: one sentence, the right code, nothing left; the same command goes on."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from exporter.runs.folder import RunFolder
from tests.conftest import REPO
from tests.recipes.recipe_folder import write_recipe_folder

ENDS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
MANY_STEPS = {"steps": 100_000, "batch": 2, "crop_px": 32, "warmup_steps": 1, "checkpoint_every": 5}
# A worker that never answers, beside the run it belongs to.
WORKER = """
import sys
from pathlib import Path
from exporter import cli
from exporter.runtimes import worker_process
def run(args):
    import os
    Path("worker.py").write_text("import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)")
    worker_process.run_worker("engine", [sys.executable], Path.cwd(), timeout_s=600)
class Command:
    run = staticmethod(run)
    add_arguments = staticmethod(lambda parser: None)
cli.import_module = lambda name: Command
sys.argv = ["exporter", "stages"]
cli.entry()
"""


def start(words: list[str], folder: Path, **options) -> subprocess.Popen:
    return subprocess.Popen(
        words, cwd=folder, env=os.environ | {"PYTHONPATH": str(REPO)}, stderr=subprocess.PIPE, text=True, **options
    )


def wait_for(found, process: subprocess.Popen, seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]


@pytest.fixture
def training(tmp_path, teacher_file) -> Path:
    stages = [{"distill": MANY_STEPS | {"kwargs": {"preset": "s"}}}]
    return write_recipe_folder(tmp_path, teacher_file, stages=stages)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_training_that_is_asked_to_end(training, tmp_path, number):
    process = start([sys.executable, "-m", "exporter", f"recipe={training}"], tmp_path, stdout=subprocess.DEVNULL)
    wait_for(lambda: list(tmp_path.glob("build/tiny/stages/distill-*/training.pt")), process)
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == ENDS[number]
    errors = [line for line in said.splitlines() if line.startswith("error: ")]
    assert errors == ["error: interrupted; finished stages are kept, the same command goes on from there"]
    assert "Traceback" not in said
    assert not list(tmp_path.rglob(".unfinished-*"))
    assert not (tmp_path / "dist").exists()
    with RunFolder(tmp_path / "build" / "tiny").locked():
        pass


@pytest.mark.parametrize("number", ENDS)
def test_a_worker_ends_with_its_run(tmp_path, number):
    process = start([sys.executable, "-c", WORKER], tmp_path)
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), process)
    pid = int((tmp_path / "pid").read_text())
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == ENDS[number]
    assert "error: interrupted" in said
    assert not is_running(pid)


def test_a_worker_ends_with_a_run_that_could_not_clear_up(tmp_path):
    process = start([sys.executable, "-c", WORKER], tmp_path)
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), process)
    pid = int((tmp_path / "pid").read_text())
    assert is_running(pid)
    process.kill()
    process.communicate(timeout=60)
    end = time.monotonic() + 30
    while is_running(pid):
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_second_signal_does_not_break_off_the_clearing_up(tmp_path):
    process = start([sys.executable, "-c", WORKER], tmp_path)
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), process)
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGHUP):
        process.send_signal(number)
    assert "error: interrupted" in process.communicate(timeout=60)[1]
    assert process.returncode in (143, 129)  # signals that arrive together have no order


def test_nohup_keeps_a_run_alive(tmp_path):
    process = start(["nohup", sys.executable, "-c", WORKER], tmp_path, stdout=subprocess.DEVNULL)
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), process)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
