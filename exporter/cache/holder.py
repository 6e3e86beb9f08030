"""Who holds something in a store: a process of a machine, as others can tell whether it still runs."""

from __future__ import annotations

import getpass
import json
import os
import socket
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

LEASE_S = 120.0  # without a sign of life; a process that a library holds still for longer loses its lease
_SHORTEST_S, _LONGEST_S = 0.1, 3600.0


@dataclass(frozen=True, slots=True)
class Holder:
    """`token`: of this one holding. `machine`, `started`: what makes `pid` the number of just one process."""

    token: str
    host: str
    user: str
    machine: str
    pid: int
    started: str
    lease_s: float = LEASE_S

    @classmethod
    def here(cls, lease_s: float = LEASE_S) -> Holder:
        pid = os.getpid()
        return cls(token_hex(16), socket.gethostname(), _user(), _machine(), pid, _started(pid), lease_s)

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def read(cls, content: bytes) -> Holder:
        """What `to_bytes` wrote. Of anything else a holder that nobody knows, for its age to decide about."""
        try:
            raw = json.loads(content)
            found = cls(**{name: kind(raw[name]) for name, kind in _FIELDS.items()})
            if len(found.token) == 32 and set(found.token) <= set("0123456789abcdef"):
                return found
        except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
            pass
        return cls(sha256(content).hexdigest()[:32], "unknown", "unknown", "", 0, "")

    @property
    def patience_s(self) -> float:
        """How long without a sign of life it is believed to live."""
        return min(max(self.lease_s, _SHORTEST_S), _LONGEST_S) if self.lease_s == self.lease_s else LEASE_S

    @property
    def is_gone(self) -> bool:
        """Whether it ran on this machine and does not any more; of other machines only time can tell."""
        return bool(self.started) and self.machine == _machine() and _started(self.pid) != self.started

    def __str__(self) -> str:
        return f"{self.user} on {self.host}, process {self.pid}"


_FIELDS = {
    "token": str, "host": str, "user": str, "machine": str, "pid": int, "started": str, "lease_s": float,
}  # fmt: skip


@cache
def _machine() -> str:
    """This machine since its start, and the container where numbers of processes are counted; empty where none says."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When the process started, in ticks since the machine did; empty when there is none, or none that works."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return "" if words[0] in "ZX" else words[19]  # a zombie has ended


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a number without a name, as in containers
        return str(os.getuid())
