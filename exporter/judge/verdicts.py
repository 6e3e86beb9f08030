"""A promise, judged: what it is called, how it went, and how many went so. The only place that counts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol


class Status(StrEnum):
    """How one promise went; its value is the word that people and JSON read."""

    KEPT = "kept"
    MISSED = "missed"
    NOT_MEASURED = "not measured"

    @property
    def exit_code(self) -> int:
        """What a run ends with whose verdict this is (see EXIT_CODES)."""
        return _EXIT_CODES[self]


_EXIT_CODES = {Status.KEPT: 0, Status.MISSED: 1, Status.NOT_MEASURED: 3}


class PromiseId(NamedTuple):
    """Which promise: no two of one run share it. `promise` is the recipe's key, e.g. "min_parity_db"."""

    target: str
    promise: str
    runtime: str

    def __str__(self) -> str:
        return f"{self.target}: {self.promise} on {self.runtime}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One promise of the recipe, judged.

    `demanded` is False for a further engine (`also_on`) that need not be here: it counts as not measured, but does not
    make the run fail.
    """

    target: str
    promise: str
    runtime: str
    limit: float
    value: float | None  # None: not measured
    status: Status
    sentence: str
    demanded: bool = True
    noisy: bool = False  # a time that was missed while the machine was disturbed

    @property
    def id(self) -> PromiseId:
        return PromiseId(self.target, self.promise, self.runtime)


class Judged(Protocol):
    """What can be counted: a Verdict, or the record of one in a file."""

    @property
    def status(self) -> Status: ...
    @property
    def demanded(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Tally:
    """How many promises went which way. Of the not measured, `excused` need not have been: they are counted twice."""

    kept: int
    missed: int
    not_measured: int
    excused: int

    @property
    def total(self) -> int:
        return self.kept + self.missed + self.not_measured

    @property
    def status(self) -> Status:
        """The whole run's verdict; its `exit_code` is the run's."""
        if self.missed:
            return Status.MISSED
        return Status.NOT_MEASURED if self.not_measured > self.excused else Status.KEPT

    @property
    def count(self) -> str:
        """Fits a table's cell: "7 kept" · "33 kept, 6 not measured" · "1 missed, 2 not measured of 39"."""
        if not self.total:
            return "none made"
        parts = (self.missed, Status.MISSED), (0 if self.missed else self.kept, Status.KEPT)
        said = [f"{number} {status}" for number, status in (*parts, (self.not_measured, Status.NOT_MEASURED)) if number]
        return ", ".join(said) + (f" of {self.total}" if self.missed else "")

    @property
    def headline(self) -> str:
        """The run in one line, to stand alone: page, terminal, card, README."""
        if not self.total:
            return "no promise was made"
        if self.kept == self.total:
            return "the one promise is kept" if self.total == 1 else f"all {self.total} promises kept"
        return self.count


def tally(verdicts: Iterable[Judged]) -> Tally:
    """Count `verdicts`."""
    counted = Counter((verdict.status, verdict.demanded) for verdict in verdicts)
    kept, missed, not_measured = (counted[status, True] + counted[status, False] for status in Status)
    return Tally(kept, missed, not_measured, counted[Status.NOT_MEASURED, False])
