"""What else a machine did while something was timed: other programs on its processors, and how fast these ran."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

_BUSY = (0, 1, 2, 5, 6, 7)  # user, nice, system, irq, softirq, steal of a line of /proc/stat; guests are in user
_TICKS_PER_S = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


@dataclass(frozen=True, slots=True)
class Load:
    """What disturbs a measurement; None: this system does not tell.

    `others_cores`: of the `cores` we may use, what other programs, or the host of a virtual machine, took on average.
    `clock_mhz`: slowest and fastest that the fastest core was seen at.
    """

    cores: int
    others_cores: float | None = None
    load_average: float | None = None  # of the minute before
    clock_mhz: tuple[float, float] | None = None


class Watch(Protocol):
    """Looks at the machine now and then; `load` is of the time between the first look and the last."""

    def look(self) -> None: ...
    def load(self) -> Load: ...


def own_cpu_s(proc: Path = Path("/proc")) -> float:
    """Seconds of processors that this process, the children it has waited for and all that still run below it used."""
    spent = os.times()
    waited_s = spent.user + spent.system + spent.children_user + spent.children_system
    return waited_s + _below_s(os.getpid(), proc)


def _below_s(process: int, proc: Path) -> float:
    """Of the processes that `process` started, and those that these did, where the system tells: engines beside us."""
    children: dict[int, list[int]] = {}
    spent_s: dict[int, float] = {}
    for stat in proc.glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):  # one that just ended
            number, _, rest = stat.read_text().partition(" (")
            fields = rest.rpartition(")")[2].split()  # a name may hold anything
            children.setdefault(int(fields[1]), []).append(int(number))
            spent_s[int(number)] = sum(map(int, fields[11:15])) / _TICKS_PER_S
    found_s, left = 0.0, list(children.get(process, ()))
    while left:
        child = left.pop()
        found_s += spent_s[child]
        left += children.get(child, ())
    return found_s


class MachineWatch(Watch):
    """Reads Linux's own figures; elsewhere only the load average is known."""

    def __init__(
        self,
        proc: Path = Path("/proc"),
        cpus: Path = Path("/sys/devices/system/cpu"),
        clock_s: Callable[[], float] = time.monotonic,
        own_s: Callable[[], float] = own_cpu_s,
        usable: frozenset[int] | None = None,
    ) -> None:
        self._proc, self._cpus, self._clock_s, self._own_s = proc, cpus, clock_s, own_s
        self._usable = _usable() if usable is None else usable
        self._looks: list[tuple[float, float, float | None]] = []  # clock, own, busy seconds
        self._mhz: list[float] = []
        self._average = os.getloadavg()[0] if hasattr(os, "getloadavg") else None

    def look(self) -> None:
        self._looks.append((self._clock_s(), self._own_s(), self._busy_s()))
        if mhz := [found for cpu in self._usable if (found := self._clock_mhz(cpu)) is not None]:
            self._mhz.append(max(mhz))  # an idle core's clock says nothing

    def load(self) -> Load:
        clock_mhz = (min(self._mhz), max(self._mhz)) if self._mhz else None
        return Load(len(self._usable), self._others(), self._average, clock_mhz)

    def _others(self) -> float | None:
        (start_s, own_start_s, busy_start_s), (end_s, own_end_s, busy_end_s) = self._looks[0], self._looks[-1]
        if busy_start_s is None or busy_end_s is None or end_s <= start_s:
            return None
        others_s = (busy_end_s - busy_start_s) - (own_end_s - own_start_s)
        return max(0.0, others_s / (end_s - start_s))

    def _busy_s(self) -> float | None:
        wanted = {f"cpu{cpu}" for cpu in self._usable}
        ticks = 0
        try:
            for line in (self._proc / "stat").read_text().splitlines():
                name, *counts = line.split()
                if name in wanted:
                    ticks += sum(int(counts[place]) for place in _BUSY)
        except (OSError, ValueError, IndexError):
            return None
        return ticks / _TICKS_PER_S

    def _clock_mhz(self, cpu: int) -> float | None:
        with suppress(OSError, ValueError):
            return int((self._cpus / f"cpu{cpu}" / "cpufreq" / "scaling_cur_freq").read_text()) / 1e3
        return None


def _usable() -> frozenset[int]:
    """The processors this process may use, by number."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))
