"""Workers of a Ray cluster that is there already: remote functions, which Ray puts where there is room."""

from __future__ import annotations

import os
import signal
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from exporter.errors import NoCluster, RecipeError
from exporter.failures import in_one_line
from exporter.suggestions import did_you_mean, shortened
from exporter.sweep.task import Task
from exporter.sweep.worker import work
from exporter.sweep.workers import PATIENCE_S

INSTALL = "pip install 'exporter[ray]'"
START = "ray start --head, or name one: --ray address=HOST:6379"
NUMBERS = ("num_cpus", "num_gpus", "memory")
OPTIONS = ("address", *NUMBERS)
REACHED_S = 10
HANDED_ON = ("EXPORTER_", "PYTHONPATH")  # of the environment, to processes that other nodes start


class RayWorkers:
    """Remote calls of `work`, `number` at a time where it is given, else as many as Ray has room for."""

    def __init__(self, number: int | None, options: Mapping[str, str]) -> None:
        """Raises NoCluster where no cluster answers, RecipeError for an option that is wrong."""
        resources = _resources(options)
        if find_spec("ray") is None:
            raise NoCluster("--on ray needs ray, which is not installed", hint=INSTALL)
        import ray

        self._ray: Any = ray
        _connect(ray, options.get("address") or os.environ.get("RAY_ADDRESS") or "auto")
        # Ray's own retries are off: a worker that is lost is ours to retry, once, and to name.
        self._work = ray.remote(work).options(max_retries=0, **resources)
        self._number = number
        self._waiting: deque[Task] = deque()
        self._open: dict[Any, Task] = {}

    def start(self, tasks: Sequence[Task]) -> None:
        self._waiting += tasks
        self._hand_out()

    def ended(self) -> dict[Task, str]:
        done, _ = self._ray.wait([*self._open], num_returns=1, timeout=PATIENCE_S)
        found = {self._open.pop(each): self._lost(each) for each in done}
        self._hand_out()
        return found

    def end(self) -> None:
        self._waiting.clear()
        for each in self._open:
            self._ray.cancel(each, force=True)
        if self._open:
            self._ray.wait([*self._open], num_returns=len(self._open), timeout=10)
        self._ray.shutdown()

    def _hand_out(self) -> None:
        """Ray's own pattern against too many pending tasks: the next when one is done."""
        while self._waiting and (self._number is None or len(self._open) < self._number):
            task = self._waiting.popleft()
            self._open[self._work.remote(task)] = task

    def _lost(self, done: Any) -> str:
        try:
            self._ray.get(done)
        except Exception as error:  # of the worker's process, its node, or Ray
            return _WHY.get(type(error).__name__, "") or in_one_line(error)
        return ""


_WHY = {
    "WorkerCrashedError": "its process was killed",
    "LocalRayletDiedError": "its node is gone",
    "NodeDiedError": "its node is gone",
    "OutOfMemoryError": "it ran out of memory",
    "TaskCancelledError": "its task was cancelled",
}


def _resources(options: Mapping[str, str]) -> dict[str, float]:
    for name in options:
        if name not in OPTIONS:
            raise RecipeError(f"--ray {shortened(name)}=…: a sweep has no such option{did_you_mean(name, OPTIONS)}")
    try:
        found = {name: float(options[name]) for name in NUMBERS if name in options}
    except ValueError as error:
        raise RecipeError(f"--ray: {error}") from None
    if wrong := next((name for name, value in found.items() if not 0 <= value < float("inf")), None):
        raise RecipeError(f"--ray {wrong}={shortened(options[wrong])}: a number from 0 up")
    return found


def _connect(ray: Any, address: str) -> None:
    """Ray takes signals of a program for its own; afterwards ours are ours again. Raises NoCluster."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    _require_listener(address)
    handed_on = {name: value for name, value in os.environ.items() if name.startswith(HANDED_ON)}
    try:
        ray.init(
            address,
            log_to_driver=False,
            logging_level="ERROR",
            runtime_env={"env_vars": handed_on} if handed_on else None,
        )
    except Exception as error:
        raise NoCluster(f"no Ray cluster answers at {shortened(address)}: {in_one_line(error)}", hint=START) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _require_listener(address: str) -> None:
    """Ray itself tries an address where nobody is for minutes."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit() or "://" in address:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACHED_S).close()
    except (OSError, OverflowError) as error:
        raise NoCluster(f"no Ray cluster answers at {shortened(address)}: {in_one_line(error)}", hint=START) from None
