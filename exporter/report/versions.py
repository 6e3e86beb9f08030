"""The matrix of files and LiteRT releases, as page and card show it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from exporter.figures import counted
from exporter.judge.verdicts import Status
from exporter.judge.versions import status_of, tolerance_db
from exporter.measure.results import TargetResult, VersionCheck
from exporter.not_measured import NotMeasured


@dataclass(frozen=True, slots=True)
class Cell:
    """`said` in a few words, `more` where there is more to say."""

    status: Status
    said: str
    more: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One file; `targets` are all that have it."""

    targets: str
    file: str
    against: str
    limit_db: float
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """`releases`: title and runtime of each column."""

    releases: tuple[tuple[str, str], ...]
    pictures: int
    rows: tuple[Row, ...]


def version_matrix(targets: Iterable[TargetResult]) -> Matrix | None:
    """None for a run that was not asked for any (`verify.versions`)."""
    targets = list(targets)
    compared = [target for target in targets if target.versions]
    if not compared:
        return None
    rows = []
    for target in compared:
        users = [other.name for other in targets if other.artifact.sha256 == target.artifact.sha256]
        limit_db = tolerance_db(target.artifact.precision)
        cells = tuple(_cell(check, limit_db) for check in target.versions)
        file = target.artifact.path.name
        rows.append(Row(", ".join(users), file, target.versions[0].against, limit_db, cells))
    checks = [check for target in compared for check in target.versions]
    pictures = [check.agreement.pictures for check in checks if not isinstance(check.agreement, NotMeasured)]
    releases = tuple((check.title, check.runtime) for check in compared[0].versions)
    return Matrix(releases, max(pictures, default=0), tuple(rows))


def _cell(check: VersionCheck, limit_db: float) -> Cell:
    status, found = status_of(check, limit_db), check.agreement
    if isinstance(found, NotMeasured):
        return Cell(status, "cannot run it" if check.refused else "not measured", found.reason)
    if found.equal:
        return Cell(status, "codes equal" if found.unit == "steps" else "bit-equal")
    said = f"{found.worst_psnr_db:.1f} dB, at most {_apart(found.largest, found.unit)}"
    return Cell(status, said, f"first at {found.first}" if found.first else "")


def _apart(largest: int, unit: str) -> str:
    return counted(largest, unit.removesuffix("s"))
