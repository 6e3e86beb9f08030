"""Programs that put a rig together, or that run inside one: silent, without input, in a limited time."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from exporter.errors import EngineError


def run_program(
    command: Sequence[str | Path],
    *,
    timeout_s: int,
    late: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """What it said and its exit code, which the caller judges.

    Raises EngineError when it does not end in time; `late` says what it did not do, such as `pip did not get numpy`.
    """
    try:
        return subprocess.run(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EngineError(f"{late} in {timeout_s} s") from None


def last_words(done: subprocess.CompletedProcess[str], otherwise: str = "it said nothing") -> str:
    """The last line of its standard error, which as a rule is the reason."""
    return (done.stderr.strip().splitlines() or [otherwise])[-1]
