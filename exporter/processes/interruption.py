"""SIGTERM and SIGHUP end like Ctrl-C: what is half-written goes, child processes too, then one sentence."""

from __future__ import annotations

import signal
from types import FrameType

from exporter.processes.child_process import end_children


class Interrupted(KeyboardInterrupt):
    """Raised where the work is when a signal asks it to end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number


def end_on_signals() -> None:
    """From now on SIGTERM and SIGHUP raise Interrupted, once; under `nohup` SIGHUP stays ignored.

    A supervisor may send the signal twice, to the group and to us: the second must not break off the clearing up.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _end)


def exit_code_of(error: KeyboardInterrupt) -> int:
    return error.exit_code if isinstance(error, Interrupted) else 128 + signal.SIGINT


def _end(number: int, frame: FrameType | None) -> None:
    for other in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    end_children()
    raise Interrupted(number)
