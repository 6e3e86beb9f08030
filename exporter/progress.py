"""How long-running work tells the person at the terminal where it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from exporter.figures import time_word


class Task(Protocol):
    """One piece of work with a known number of steps."""

    def advance(self, steps: int = 1, note: str = "") -> None: ...


class Progress(Protocol):
    """What a stage may say. `note` is a short live figure such as `loss 0.031`."""

    def task(self, name: str, total: int) -> AbstractContextManager[Task]: ...
    def say(self, line: str) -> None: ...
    def doing(self, what: str) -> None:
        """What goes on from now on, to be said when it takes long and there is nothing else to say."""

    def log(self, text: str) -> None:
        """For the log file alone."""


@dataclass
class Pace:
    """How far a task of `total` steps is."""

    total: int
    done: int = 0
    started_s: float = field(default_factory=time.monotonic)

    def left(self) -> str:
        """`46/120, about 50 s left`."""
        said = f"{self.done}/{self.total}"
        if not 0 < self.done < self.total:
            return said
        left_s = (time.monotonic() - self.started_s) / self.done * (self.total - self.done)
        return f"{said}, about {time_word(left_s)} left"


class Silent:
    """Progress for tests and for library use: nothing is shown."""

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Task]:
        yield self

    def advance(self, steps: int = 1, note: str = "") -> None:
        return

    def say(self, line: str) -> None:
        return

    def doing(self, what: str) -> None:
        return

    def log(self, text: str) -> None:
        return
