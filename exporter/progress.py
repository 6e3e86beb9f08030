"""How long-running work tells the person at the terminal where it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

REMIND_EVERY_S = 15.0


class Task(Protocol):
    """One piece of work with a known number of steps."""

    def advance(self, steps: int = 1, note: str = "") -> None: ...


class Progress(Protocol):
    """What a stage may say. `note` is a short live figure such as `loss 0.031`."""

    def task(self, name: str, total: int) -> AbstractContextManager[Task]: ...
    def say(self, line: str) -> None: ...
    def log(self, text: str) -> None:
        """For the log file alone."""


class Silent:
    """Progress for tests and for library use: nothing is shown."""

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Task]:
        yield self

    def advance(self, steps: int = 1, note: str = "") -> None:
        return

    def say(self, line: str) -> None:
        return

    def log(self, text: str) -> None:
        return


@contextmanager
def reminded(progress: Progress, what: str, every_s: float = REMIND_EVERY_S) -> Iterator[None]:
    """Say now and then, while work goes on that cannot say where it is, that it does: `what: still at it, 45 s`."""
    done, started_s = threading.Event(), time.monotonic()

    def remind() -> None:
        while not done.wait(every_s):
            progress.say(f"{what}: still at it, {time.monotonic() - started_s:.0f} s")

    thread = threading.Thread(target=remind, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
