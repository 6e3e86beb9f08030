"""What the kernel says of a machine is read as it says it; a system that says less is no error."""

import subprocess
import sys
from pathlib import Path

import pytest

from exporter.measure.load import MachineWatch, own_cpu_s

# user nice system idle iowait irq softirq steal guest guest_nice, in hundredths of a second
BEFORE = "cpu 0 0 0 0\ncpu0 100 0 50 900 9 0 0 0 0 0\ncpu1 100 0 0 900 0 0 0 0 0 0\ncpu2 7 0 0 0 0 0 0 0 0 0\n"
AFTER = "cpu 0 0 0 0\ncpu0 400 50 50 999 9 0 0 0 0 0\ncpu1 500 0 20 999 5 10 20 200 99 0\ncpu2 9999 0 0 0 0 0 0 0 0 0\n"


class Machine:
    """A clock and processors that do what they are told."""

    def __init__(self, folder: Path) -> None:
        self.now_s, self.own_s, self.folder = 100.0, 5.0, folder
        self.watch = MachineWatch(folder, folder, lambda: self.now_s, lambda: self.own_s, frozenset({0, 1}))

    def clock(self, cpu: int, khz: int) -> None:
        file = self.folder / f"cpu{cpu}/cpufreq/scaling_cur_freq"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{khz}\n")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr("exporter.measure.load._TICKS_PER_S", 100)
    return Machine(tmp_path)


def test_others_are_all_that_is_busy_but_ourselves(machine: Machine):
    (machine.folder / "stat").write_text(BEFORE)
    machine.watch.look()
    (machine.folder / "stat").write_text(AFTER)
    machine.now_s, machine.own_s = 105.0, 9.0
    machine.watch.look()
    load = machine.watch.load()
    # cpu0: 3.5 s, cpu1: 4 + 0.2 + 0.1 + 0.2 + 2 s stolen; 4 s of them ours; of 5 s. cpu2 we may not use.
    assert load.others_cores == pytest.approx((3.5 + 6.5 - 4) / 5) and load.cores == 2


def test_a_core_at_rest_does_not_count_as_a_slow_clock(machine: Machine):
    for fast, slow in ((3_000_000, 800_000), (2_000_000, 800_000), (2_500_000, 800_000)):
        machine.clock(0, fast)
        machine.clock(1, slow)
        machine.watch.look()
    assert machine.watch.load().clock_mhz == (2000, 3000)


@pytest.mark.parametrize("stat", [None, "", "cpu0 a b\n", "cpu0 1 2\n"])
def test_a_system_that_does_not_tell(machine: Machine, stat: str | None):
    if stat is not None:
        (machine.folder / "stat").write_text(stat)
    machine.watch.look()
    machine.watch.look()
    load = machine.watch.load()
    assert load.others_cores is None and load.clock_mhz is None


def test_this_machine():
    watch = MachineWatch()
    watch.look()
    sum(range(1_000_000))
    watch.look()
    load = watch.load()
    assert load.cores >= 1 and (load.others_cores is None or load.others_cores >= 0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what other processes spent")
def test_an_engine_that_runs_beside_us_is_not_a_disturbance():
    """A browser is a process below ours whose own processes compute."""
    spend = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    words = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {spend!r}])"
    before_s = own_cpu_s()
    with subprocess.Popen([sys.executable, "-c", words], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as engine:
        assert engine.stdout is not None
        engine.stdout.readline()
        assert own_cpu_s() - before_s >= 0.3
        engine.communicate(b"\n")
