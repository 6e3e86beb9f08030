"""What the person at the terminal sees: one live view, or plain lines when the output is no terminal."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from exporter.failures import said_plainly
from exporter.figures import time_word
from exporter.processes.memory import resident_bytes
from exporter.progress import Pace, Task

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

PLAIN_EVERY_S = LONGEST_SILENCE_S = 10.0


@dataclass
class Terminal:
    """Progress on stdout and in the log file; `quiet()` sends what libraries print to the log file alone.

    While it is live, a terminal shows what is being done; other outputs are told after each `longest_silence_s` without
    a sign of it. `usually_s` is how long that took before, in seconds, by what `doing` is told.
    """

    log_file: Path
    console: Console
    longest_silence_s: float = LONGEST_SILENCE_S
    usually_s: Mapping[str, float] = field(default_factory=dict)
    _doing: tuple[str, float] = ("", 0.0)  # what, since when
    _stage: tuple[str, float] = ("", 0.0)  # of which that is a part
    _seen_s: float = 0.0  # the last sign of life
    _live: RichProgress | None = None
    _row: TaskID | None = None  # of what is being done
    _file: TextIO = field(init=False)

    def __post_init__(self) -> None:
        self._file = self.log_file.open("a", buffering=1)

    def say(self, line: str) -> None:
        self.alive()
        self._file.write(f"{time.strftime('%H:%M:%S')} {line}\n")
        shown = folded(line, self.console.width if self.console.is_terminal else None)
        self.console.print(shown, markup=False, highlight=False, soft_wrap=True)

    def doing(self, what: str) -> None:
        self._doing = what, time.monotonic()
        if ": " not in what:  # else it is a part of what goes on
            self._stage = self._doing
        if self._live is not None and self._row is not None:
            self._live.update(self._row, description=what, visible=True)

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

    def _spent(self) -> str:
        """How long it has been done, how long it will take by earlier runs, and the memory it takes."""
        (_, since_s), (stage, begun_s), now_s = self._doing, self._stage, time.monotonic()
        said = [time_word(now_s - since_s)]
        if usually_s := self.usually_s.get(stage):
            left_s = usually_s - (now_s - begun_s)
            said.append(f"about {time_word(left_s)} left" if left_s > 0 else "longer than last time")
        if held := resident_bytes():
            said.append(f"{held / 1e9:.1f} GB")
        return ", ".join(said)

    @contextmanager
    def _no_long_silence(self) -> Iterator[None]:
        if self._live is not None:  # it moves by itself
            yield
            return
        done = threading.Event()
        self.alive()

        def watch() -> None:
            while not done.wait(self.longest_silence_s / 10):
                now = time.monotonic()
                if now - self._seen_s >= self.longest_silence_s:
                    what, _ = self._doing
                    self.say(f"{what}: still at it, {self._spent()}" if what else "still at it")

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
        from rich.progress import Progress

        from exporter.live_rows import Row

        row = Row(lambda: self.console.width)
        with Progress(row, console=self.console, transient=True, refresh_per_second=4) as bars:
            self._live = bars
            self._row = bars.add_task("", total=None, visible=False, note="", figures=self._spent)
            try:
                yield
            finally:
                self._live = self._row = None

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
        task = _LiveTask(self, self._live, total)
        bar = task.bar = self._live.add_task(name, total=total, note="", figures=lambda: task.pace.left())
        try:
            yield task
        finally:
            self._live.remove_task(bar)

    @contextmanager
    def _plain_task(self, name: str, total: int) -> Iterator[Task]:
        yield _PlainTask(self, name, Pace(total))


@dataclass
class _LiveTask:
    terminal: Terminal
    bars: RichProgress
    total: int
    bar: TaskID = field(init=False)
    pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        self.pace = Pace(self.total)

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.terminal.alive()
        self.pace.done += steps
        self.bars.update(self.bar, advance=steps, note=note)


@dataclass
class _PlainTask:
    """A line now and then, for logs of a release pipeline."""

    terminal: Terminal
    name: str
    pace: Pace
    said_s: float = field(default_factory=time.monotonic)

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.pace.done += steps
        now = time.monotonic()
        self.terminal.alive()
        if now - self.said_s < PLAIN_EVERY_S or not self.pace.done:
            return
        self.said_s = now
        held = f", {resident_bytes() / 1e9:.1f} GB" if resident_bytes() else ""
        self.terminal.say(f"  {self.name}: {self.pace.left()}{held} {note}".rstrip())


@contextmanager
def libraries_aside() -> Iterator[None]:
    """What libraries print to stderr while they work goes nowhere: what matters of it is in the errors they raise."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        with suppress(OSError):
            sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


def width_of(stream: TextIO) -> int | None:
    """Characters of a line of the terminal that `stream` is; None where it is none."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def folded(text: str, width: int | None) -> str:
    """`text` in lines of at most so many characters, broken between words alone and set in further than it began."""
    if width is None or len(text) <= width:
        return text
    return "\n".join(_folded_line(line, width) for line in text.splitlines())


def _folded_line(line: str, width: int) -> str:
    further = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(line, width, subsequent_indent=further, break_long_words=False, break_on_hyphens=False)


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
