"""Starts the worker program of a job folder as a process of this machine and waits for it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from exporter.errors import EngineError

_LAST_LINES = 5


def run_worker(
    name: str, command: Sequence[str], folder: Path, *, timeout_s: float, env: Mapping[str, str] | None = None
) -> None:
    """`command worker.py .` in `folder`; `env` is laid over ours. Raises EngineError with its last words.

    `name` is the runtime's, for the message.
    """
    try:
        done = subprocess.run(
            [*command, "worker.py", "."],
            cwd=folder,
            env=None if env is None else {**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            errors="replace",
        )
    except OSError as error:
        raise EngineError(f"{name}: cannot start {command[0]}: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"{name}: the worker gave no answer in {timeout_s} s") from error
    if done.returncode:
        last = "\n    ".join(done.stderr.strip().splitlines()[-_LAST_LINES:]) or "(it said nothing)"
        raise EngineError(f"{name}: the worker ended with {_exit(done.returncode)}; its last lines:\n    {last}")


def _exit(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
