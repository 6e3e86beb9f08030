"""Workers: whoever runs tasks and knows which have ended. None of ours schedules: a pool, Slurm or Ray does."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Protocol

from exporter.failures import in_one_line
from exporter.processes.child_process import end_children
from exporter.sweep.task import Task
from exporter.sweep.worker import work

PATIENCE_S = 1.0  # a signal is seen between two looks


class Workers(Protocol):
    """Open from `start` to `end`."""

    def start(self, tasks: Sequence[Task]) -> None:
        """Queue `tasks`, behind those that were queued before. Raises NoCluster, or RecipeError for a wrong option."""

    def ended(self) -> dict[Task, str]:
        """Tasks that no longer run, each once, with what is known of a loss; waits a while for the first."""

    def end(self) -> None:
        """Cancel what is queued, kill what runs, and wait until it is gone."""


class LocalWorkers:
    """Processes of this machine, `number` at a time."""

    def __init__(self, number: int) -> None:
        self._pool = ThreadPoolExecutor(number, thread_name_prefix="sweep")
        self._open: dict[Future[None], Task] = {}
        self._done: SimpleQueue[Future[None]] = SimpleQueue()  # to look at all that are open takes longer, the more

    def start(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            future = self._pool.submit(work, task)
            self._open[future] = task
            future.add_done_callback(self._done.put)

    def ended(self) -> dict[Task, str]:
        done: list[Future[None]] = []
        with suppress(Empty):
            done.append(self._done.get(timeout=PATIENCE_S))
            while True:
                done.append(self._done.get_nowait())
        errors = {self._open.pop(future): future.exception() for future in done}
        return {task: in_one_line(error) if error else "" for task, error in errors.items()}

    def end(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        while not all(future.done() for future in self._open):
            end_children()
            time.sleep(0.05)
        self._pool.shutdown()
