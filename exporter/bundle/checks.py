"""What checking a bundle found: one line a check, and one exit code for all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["passed", "failed", "not checked"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what, how it went, and the figure or the reason."""

    name: str
    status: Outcome
    detail: str


def exit_code_of(checks: Iterable[Check]) -> int:
    """0 all passed · 1 one failed · 3 none failed, but one could not be made."""
    statuses = {check.status for check in checks}
    return 1 if "failed" in statuses else 3 if "not checked" in statuses else 0
