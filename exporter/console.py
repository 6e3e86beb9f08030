"""What the person at the terminal sees: one live view, or plain lines when the output is no terminal."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from exporter.failures import said_plainly
from exporter.progress import Task

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

PLAIN_EVERY_S = LONGEST_SILENCE_S = 10.0


@dataclass
class Terminal:
    """Progress on stdout and in the log file; `quiet()` sends what libraries print to the log file alone.

    While it is live, it says what is being done after each `longest_silence_s` without a sign of it.
    """

    log_file: Path
    console: Console
    longest_silence_s: float = LONGEST_SILENCE_S
    _doing: tuple[str, float] = ("", 0.0)  # what, since when
    _seen_s: float = 0.0  # the last sign of life
    _live: RichProgress | None = None
    _file: TextIO = field(init=False)

    def __post_init__(self) -> None:
        self._file = self.log_file.open("a", buffering=1)

    def say(self, line: str) -> None:
        self.alive()
        self._file.write(f"{time.strftime('%H:%M:%S')} {line}\n")
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def doing(self, what: str) -> None:
        self._doing = what, time.monotonic()

    def alive(self) -> None:
        """Whoever looks on sees that work goes on."""
        self._seen_s = time.monotonic()

    def log(self, text: str) -> None:
        self._file.write(text.rstrip() + "\n")

    def task(self, name: str, total: int) -> AbstractContextManager[Task]:
        return self._live_task(name, total) if self._live else self._plain_task(name, total)

    @contextmanager
    def live(self) -> Iterator[None]:
        """Bars with time left while work goes on; nothing when the output is no terminal.

        Raises every error as one that says what it means; the traceback of what nobody foresaw goes into the log.
        """
        try:
            with self._bars(), self._no_long_silence():
                yield
        except BrokenPipeError:
            raise
        except Exception as error:
            raise said_plainly(error, self.log_file) from error

    @contextmanager
    def _no_long_silence(self) -> Iterator[None]:
        done = threading.Event()
        self.alive()

        def watch() -> None:
            while not done.wait(self.longest_silence_s / 10):
                now = time.monotonic()
                if now - self._seen_s >= self.longest_silence_s:
                    what, since_s = self._doing
                    self.say(f"{what}: still at it, {now - since_s:.0f} s" if what else "still at it")

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    @contextmanager
    def _bars(self) -> Iterator[None]:
        if not self.console.is_terminal:
            yield
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, TextColumn("{task.fields[note]}"), console=self.console, transient=True) as bars:
            self._live = bars
            try:
                yield
            finally:
                self._live = None

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Whatever C++ and Python print to stdout and stderr goes to the log file."""
        sys.stdout.flush()
        sys.stderr.flush()
        kept = [os.dup(1), os.dup(2)]
        try:
            os.dup2(self._file.fileno(), 1)
            os.dup2(self._file.fileno(), 2)
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, copy in zip((1, 2), kept, strict=True):
                os.dup2(copy, number)
                os.close(copy)

    @contextmanager
    def _live_task(self, name: str, total: int) -> Iterator[Task]:
        assert self._live is not None
        bar = self._live.add_task(name, total=total, note="")
        try:
            yield _LiveTask(self, self._live, bar)
        finally:
            self._live.remove_task(bar)

    @contextmanager
    def _plain_task(self, name: str, total: int) -> Iterator[Task]:
        yield _PlainTask(self, name, total)


@dataclass
class _LiveTask:
    terminal: Terminal
    bars: RichProgress
    bar: TaskID

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.terminal.alive()
        self.bars.update(self.bar, advance=steps, note=note)


@dataclass
class _PlainTask:
    """A line now and then, for logs of a release pipeline."""

    terminal: Terminal
    name: str
    total: int
    done: int = 0
    started_s: float = field(default_factory=time.monotonic)
    said_s: float = field(default_factory=time.monotonic)

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.done += steps
        now = time.monotonic()
        self.terminal.alive()
        if now - self.said_s < PLAIN_EVERY_S or not self.done:
            return
        self.said_s = now
        left_s = (now - self.started_s) / self.done * (self.total - self.done)
        self.terminal.say(f"  {self.name}: {self.done}/{self.total}, about {left_s:.0f} s left {note}".rstrip())


def open_terminal(log: Path, on_stderr: bool = False) -> Terminal:
    """A terminal on a copy of stdout (or stderr), so that `quiet()` can take both away from libraries."""
    stream = sys.stderr if on_stderr else sys.stdout
    copy = os.fdopen(os.dup(stream.fileno()), "w", buffering=1, encoding="utf-8", errors="replace")
    return Terminal(log, open_console(copy))


def open_console(file: TextIO, width: int | None = None) -> Console:
    """Rich's console on `file`, which leaves a closed pipe to the caller."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            """Rich would leave with exit code 1, which means something else here."""
            if self.file.fileno() > 2:  # a copy of ours: what is left in its buffer would be complained about
                os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())
            raise  # noqa: PLE0704 - inside Rich's `except BrokenPipeError`

    return Plain(file=file, width=width)
