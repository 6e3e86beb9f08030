"""The page of a store: what moved and what may have moved it, then every target's figures over its releases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

from exporter.figures import counted, fixed
from exporter.history import chart
from exporter.history.changes import Change, changes, commit_of, short_commit
from exporter.history.chart import Chart, chart_of, difference
from exporter.history.record import Record, TargetRecord
from exporter.history.series import FIGURES, Figure, Point, moves_of, series_of
from exporter.report.templates import templates_of


@dataclass(frozen=True, slots=True)
class Move:
    """A figure of a target that moved beyond noise."""

    target: str
    figure: Figure
    label: str
    old: Point
    new: Point

    @property
    def status(self) -> str:
        return self.figure.status(self.old, self.new)

    @property
    def sentence(self) -> str:
        ends = (f"{fixed(point.value, self.figure.digits)}" for point in (self.old, self.new))
        return f"{' → '.join(ends)} {self.figure.unit} ({difference(self.old, self.new, self.figure)})"


@dataclass(frozen=True, slots=True)
class Step:
    """From one release to another, between which something moved."""

    old: Record
    new: Record
    moves: tuple[Move, ...]

    @property
    def changes(self) -> list[Change]:
        return changes(self.old, self.new)


@dataclass(frozen=True, slots=True)
class TargetView:
    name: str
    charts: tuple[Chart, ...]
    rows: tuple[tuple[Record, TargetRecord], ...]


@dataclass(frozen=True, slots=True)
class Product:
    """All releases of one name. `steps`: the latest first."""

    name: str
    records: tuple[Record, ...]
    steps: tuple[Step, ...]
    targets: tuple[TargetView, ...]


def page(records: Sequence[Record], place: str) -> str:
    """HTML without scripts and without anything from a network. `place`: what the store is called."""
    environment = templates_of("exporter.history")
    environment.globals |= {"chart": chart, "counted": counted, "figures": FIGURES}
    environment.globals |= {"commit_of": commit_of, "short_commit": short_commit}
    environment.filters["figure"] = _figure
    return environment.get_template("page.html").render(products=products(records), place=place)


def products(records: Sequence[Record]) -> list[Product]:
    """By name; `records` are in the order they were added."""
    return [_product(name, [r for r in records if r.name == name]) for name in sorted({r.name for r in records})]


def _product(name: str, records: list[Record]) -> Product:
    targets = list(dict.fromkeys(target.name for record in reversed(records) for target in record.targets))
    return Product(
        name, tuple(records), tuple(_steps(records, targets)), tuple(_target(target, records) for target in targets)
    )


def _steps(records: Sequence[Record], targets: Sequence[str]) -> Iterator[Step]:
    found: dict[tuple[int, int], list[Move]] = {}
    for target in targets:
        for figure in FIGURES:
            for series in series_of(figure, records, target):
                for old, new in moves_of(figure, series):
                    move = Move(target, figure, series.label, old, new)
                    found.setdefault((new.release, old.release), []).append(move)
    for new_place, old_place in sorted(found, reverse=True):
        yield Step(records[old_place], records[new_place], tuple(found[new_place, old_place]))


def _target(name: str, records: Sequence[Record]) -> TargetView:
    versions, commits = ([r.version for r in records], [short_commit(r.source_commit) for r in records])
    charts = (
        chart_of(figure, series, versions, commits)
        for figure in FIGURES
        if (series := series_of(figure, records, name))
    )
    rows = ((record, target) for record in records for target in record.targets if target.name == name)
    return TargetView(name, tuple(charts), tuple(rows))


def _figure(value: float | None, digits: int, unit: str = "") -> str:
    if value is None:
        return "not measured"
    number = fixed(value, digits) if isfinite(value) else "∞" if value > 0 else "not finite"
    return f"{number} {unit}".rstrip()
