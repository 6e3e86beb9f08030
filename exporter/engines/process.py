"""Programs that put an engine together, or that are one: silent, without input, in a limited time."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from exporter.errors import EngineError, LostWorker
from exporter.processes.child_process import how_it_ended, run_child, was_taken_away


def run_program(
    command: Sequence[str | Path],
    *,
    timeout_s: int,
    late: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """What it said and its exit code, which the caller judges.

    Raises LostWorker when it does not end in time or is ended from outside; `late` says what it did not do, such as
    `pip did not get numpy`.
    """
    try:
        done = run_child(command, timeout_s=timeout_s, cwd=cwd, env=env)
    except subprocess.TimeoutExpired:
        raise LostWorker(f"{late} in {timeout_s} s") from None
    if was_taken_away(done.returncode):
        raise LostWorker(f"{late}: it was ended by {how_it_ended(done.returncode)}; its last words: {last_words(done)}")
    return done


def start_of(command: Sequence[str | Path], name: str, *, timeout_s: int, env: Mapping[str, str]) -> str:
    """What the program `name` says when it is started. Raises EngineError when it does not start."""
    done = run_program(command, timeout_s=timeout_s, late=f"{name} does not start", env=env)
    if done.returncode:
        raise EngineError(f"{name} does not start: {last_words(done)}")
    return done.stdout.strip()


def last_words(done: subprocess.CompletedProcess[str], otherwise: str = "it said nothing") -> str:
    """The last line of its standard error, which as a rule is the reason."""
    return (done.stderr.strip().splitlines() or [otherwise])[-1]
