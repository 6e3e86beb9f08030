"""Two bundles held against each other as their reports say: promises by name and runtime, and every figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from math import isinf, isnan
from pathlib import Path

from exporter.bundle.compared_figures import FIGURES, Figure, Tolerances, other_pictures
from exporter.bundle.documents import shown
from exporter.bundle.report_file import REPORT, Absent, CrossRuntimeCheck, Promise, Report, Target
from exporter.errors import BundleError
from exporter.judge.budget import PARITY, PROMISES
from exporter.judge.budget import Promise as Kind
from exporter.judge.verdicts import PromiseId, Status

ROUNDING = 1e-9  # a fall of exactly the tolerance is within it


class Change(StrEnum):
    """What became of something from OLD to NEW."""

    SAME = "same"
    BETTER = "better"
    WITHIN = "worse, within tolerance"
    OTHER = "other file"
    NEW = "new"
    MEASURED = "newly measured"
    INCOMPARABLE = "not comparable"
    UNMEASURED = "no longer measured"
    WORSE = "regression"
    GONE = "gone"

    @property
    def exit_code(self) -> int:
        """1: worse or gone · 3: nobody knows any more · 0."""
        return 1 if self in (Change.WORSE, Change.GONE) else 3 if self is Change.UNMEASURED else 0


@dataclass(frozen=True, slots=True)
class TargetChange:
    """A target by the digest of its file; None on the side that does not have it."""

    target: str
    old_sha256: str | None
    new_sha256: str | None
    change: Change


@dataclass(frozen=True, slots=True)
class PromiseChange:
    """One promise, None on the side that does not make it; `says` is what became of it."""

    target: str
    promise: str
    runtime: str
    old: Status | None
    new: Status | None
    change: Change
    says: str


@dataclass(frozen=True, slots=True)
class FigureChange:
    """One figure of one target on one runtime, None where it was not measured."""

    target: str
    runtime: str
    figure: str  # the budget's key without min_ or max_
    unit: str
    old: float | None
    new: float | None
    change: Change
    reason: str  # why it is not comparable


@dataclass(frozen=True, slots=True)
class Comparison:
    targets: tuple[TargetChange, ...]
    promises: tuple[PromiseChange, ...]
    figures: tuple[FigureChange, ...]

    @property
    def exit_code(self) -> int:
        """1 something is worse, newly missed or gone · 3 else, something is no longer measured · 0."""
        changes = [entry.change for entry in self.targets] + [entry.change for entry in self.promises]
        codes = {change.exit_code for change in (*changes, *(entry.change for entry in self.figures))}
        return 1 if 1 in codes else max(codes, default=0)


def compare(old: Report, new: Report, tolerances: Tolerances) -> Comparison:
    """What changed from `old` to `new`. Targets of one name are one target, whatever its file."""
    before, after = ({target.name: target for target in report.targets} for report in (old, new))
    figures: list[FigureChange] = []
    for name in (name for name in before if name in after):
        figures += _figures(before[name], after[name], old, new, tolerances)
        figures += _cross_runtime(before[name], after[name], old, new, tolerances)
    return Comparison(tuple(_targets(before, after)), tuple(_promises(old, new)), tuple(figures))


def refuse_doubles(report: Report, bundle: Path) -> None:
    """Raises BundleError where two targets, promises or further engines of one target have one name."""
    cross_runtime = [
        PromiseId(target.name, PARITY.key, check.runtime) for target in report.targets for check in target.cross_runtime
    ]
    promises = [PromiseId(p.target, p.promise, p.runtime) for p in report.promises]
    for names in ([target.name for target in report.targets], promises, cross_runtime):
        name, count = next(iter(Counter(map(str, names)).most_common(1)), ("", 0))
        if count > 1:
            raise BundleError(f"{bundle / REPORT} holds two of {shown(name)}: it is damaged, or was changed")


def _targets(before: dict[str, Target], after: dict[str, Target]) -> Iterator[TargetChange]:
    for name in dict.fromkeys((*before, *after)):
        old, new = (side[name].model.sha256 if name in side else None for side in (before, after))
        if new is None:
            change = Change.GONE
        elif old is None:
            change = Change.NEW
        else:
            change = Change.SAME if old == new else Change.OTHER
        yield TargetChange(name, old, new, change)


def _promises(old: Report, new: Report) -> Iterator[PromiseChange]:
    before, after = ({PromiseId(p.target, p.promise, p.runtime): p for p in report.promises} for report in (old, new))
    for key in dict.fromkeys((*before, *after)):
        was, now = before.get(key), after.get(key)
        change, says = _became(key, was, now)
        yield PromiseChange(*key, was.status if was else None, now.status if now else None, change, says)


def _became(key: PromiseId, old: Promise | None, new: Promise | None) -> tuple[Change, str]:
    if new is None:
        return Change.GONE, "is no longer promised"
    if old is None:
        missed = new.status is Status.MISSED
        return Change.WORSE if missed else Change.NEW, f"is newly promised, and {new.status}"
    if old.status is Status.KEPT and _is_weaker(key, old.limit, new.limit):
        return Change.WORSE, f"promises less: the limit was {old.limit:g}, now {new.limit:g}; {new.status}"
    if old.status is new.status:
        return Change.SAME, f"is {'' if new.status is Status.KEPT else 'still '}{new.status}"
    change = {Status.KEPT: Change.BETTER, Status.MISSED: Change.WORSE, Status.NOT_MEASURED: Change.UNMEASURED}
    return change[new.status], f"was {old.status}, is {new.status}"


def _is_weaker(key: PromiseId, old: float, new: float) -> bool:
    return new < old if key.promise.startswith("min_") else new > old


def _figures(old: Target, new: Target, before: Report, after: Report, allowed: Tolerances) -> Iterator[FigureChange]:
    for kind in PROMISES:
        figure = FIGURES[kind.key]
        values = figure.value(old), figure.value(new)
        why_not = figure.why_not(old, new, before, after)
        if old.runtime != new.runtime:
            why_not = f"it ran on {old.runtime}"
        yield from _figure(old.name, new.runtime, kind, values, figure, allowed, why_not)


def _cross_runtime(
    old: Target, new: Target, before: Report, after: Report, allowed: Tolerances
) -> Iterator[FigureChange]:
    """Parity on further engines. `PARITY` limits it there, too."""
    was, now = ({check.runtime: _parity_db(check) for check in target.cross_runtime} for target in (old, new))
    for runtime in dict.fromkeys((*was, *now)):
        values = was.get(runtime), now.get(runtime)
        why_not = other_pictures(old, new, before, after)
        yield from _figure(old.name, runtime, PARITY, values, FIGURES[PARITY.key], allowed, why_not)


def _parity_db(check: CrossRuntimeCheck) -> float | None:
    return None if isinstance(check.parity, Absent) else check.parity.worst_psnr_db


def _figure(
    target: str,
    runtime: str,
    kind: Kind,
    values: tuple[float | None, float | None],
    figure: Figure,
    allowed: Tolerances,
    why_not: str,
) -> Iterator[FigureChange]:
    old, new = values
    if old is None and new is None:
        return
    if old is None or new is None:
        change, why_not = (Change.MEASURED if old is None else Change.UNMEASURED), ""
    elif why_not:
        change = Change.INCOMPARABLE
    elif isnan(old):
        change, why_not = Change.INCOMPARABLE, "it was not a number"
    else:
        change = _judge(old, new, kind.is_minimum, figure.tolerance(allowed), figure.relative)
    name = kind.key.removeprefix("min_").removeprefix("max_").removeprefix("forbid_")
    yield FigureChange(target, runtime, name, kind.unit.strip(), old, new, change, why_not)


def _judge(old: float, new: float, higher_is_better: bool, tolerance: float, relative: bool) -> Change:
    """Asks `within`, not `outside`: NaN in NEW is a regression, whatever is tolerated."""
    if old == new:
        return Change.SAME
    fall = old - new if higher_is_better else new - old
    if fall < 0:
        return Change.BETTER
    if isinf(tolerance):
        return Change.WORSE if isnan(new) else Change.WITHIN
    return Change.WITHIN if fall <= (tolerance * abs(old) / 100 if relative else tolerance) + ROUNDING else Change.WORSE
