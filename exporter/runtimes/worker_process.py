"""Starts the worker program of a job folder as a process of this machine and waits for it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from exporter.engines.process import run_program
from exporter.errors import EngineError
from exporter.failures import WRONG_PATH, pass_on
from exporter.processes.child_process import how_it_ended

_LAST_LINES = 5


def run_worker(
    name: str, command: Sequence[str], folder: Path, *, timeout_s: int, env: Mapping[str, str] | None = None
) -> None:
    """`command worker.py .` in `folder`; `env` is laid over ours. `name` is the runtime's, for the message.

    Raises LostWorker when it is ended from outside or by its time, else EngineError with its last words.
    """
    late = f"{name}: the worker gave no answer"
    try:
        done = run_program(
            [*command, "worker.py", "."], timeout_s=timeout_s, late=late, cwd=folder, env={**os.environ, **(env or {})}
        )
    except OSError as error:
        pass_on(error, Path(command[0]), but=WRONG_PATH)
        raise EngineError(f"{name}: cannot start {command[0]}: {error.strerror}") from error
    if done.returncode:
        last = "\n    ".join(done.stderr.strip().splitlines()[-_LAST_LINES:]) or "(it said nothing)"
        ended = how_it_ended(done.returncode)
        raise EngineError(f"{name}: the worker ended with {ended}; its last lines:\n    {last}")
