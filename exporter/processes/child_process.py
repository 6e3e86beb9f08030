"""Programs that run beside us: silent, without input, in a limited time; they end when we do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

from exporter.failures import disk_full, says_disk_full

# Signals of a program's own fault; any other that ends it came from outside.
CRASHES = frozenset(
    {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS}
)
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_running: set[subprocess.Popen[Any]] = set()


def run_child(
    command: Sequence[str | Path],
    *,
    timeout_s: float | None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    one_stream: bool = False,
) -> subprocess.CompletedProcess[str]:
    """What it said and its exit code, which the caller judges; `one_stream` puts stderr among stdout's lines.

    It does not outlive this call, whatever ends it; on Linux not even kill -9 of this process. Raises OSError when it
    does not start, subprocess.TimeoutExpired, and DiskFull when that is what it failed of.
    """
    child = subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if one_stream else subprocess.PIPE,
        text=True,
        errors="replace",
        preexec_fn=_end_with_parent(),
    )
    _running.add(child)
    try:
        with child:
            try:
                said, complained = child.communicate(timeout=timeout_s)
            except BaseException:
                child.kill()
                raise
    finally:
        _running.discard(child)
    if child.returncode and says_disk_full(f"{said}{complained or ''}"):
        raise disk_full(cwd)
    return subprocess.CompletedProcess(command, child.returncode, said, complained or "")


def start_child(
    command: Sequence[str | Path], *, env: Mapping[str, str] | None, stderr: IO[bytes], pass_fds: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """A program that goes on beside us until its caller ends it, and ends with the thread that started it.

    `pass_fds`: open files that it gets, under their numbers. Raises OSError when it does not start.
    """
    return subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        pass_fds=pass_fds,
        preexec_fn=_end_with_parent(),
    )


def _end_with_parent() -> Callable[[], None] | None:
    """What a child does before its program: ask the kernel to kill it when the thread that waits for it is no more."""
    prctl = _prctl()
    if prctl is None:
        return None
    parent = os.getpid()

    def ask() -> None:  # between fork and exec: nothing is imported or looked up here
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it was killed before it was asked
            os._exit(1)

    return ask


@cache
def _prctl() -> Callable[..., int] | None:
    if sys.platform != "linux":
        return None
    import ctypes  # every command imports this module, few start a child

    return ctypes.CDLL(None).prctl


def end_children() -> None:
    """Those that other threads wait for: nobody will interrupt these threads."""
    for child in list(_running):
        child.kill()


def was_taken_away(code: int) -> bool:
    """Whether a child with this exit code was ended from outside: by a person, or by the kernel for want of memory."""
    return code in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP, -signal.SIGINT)


def how_it_ended(code: int) -> str:
    """`exit code 3`, or the signal's name and what it may mean."""
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"{name}{' (the memory may have been full)' if code == -signal.SIGKILL else ''}"
