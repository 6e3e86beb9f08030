"""Figures of a target over releases, in series: only what can be compared is in one, and only that is joined."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import fmean, stdev

from exporter.bundle.compared_figures import Tolerances
from exporter.history.record import Record, TargetRecord

LARGEST = 1e9  # of any figure in its unit
MIN_MOVE_DB = 0.01  # what another version of a library does to the same network
MAX_ERRORS = 3.0  # standard errors of the mean difference
SIZE_MOVE = 0.01  # a file's own words differ by bytes from release to release


@dataclass(frozen=True, slots=True)
class Point:
    """`release`: its place among the product's releases. `each`: the figure picture by picture, where there is that."""

    release: int
    value: float
    each: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """`label`: what its points have in common, and others have not."""

    label: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure of one release. `kin`: what has to be equal for two to be compared; `label`: the same in words."""

    kin: tuple[object, ...]
    label: str
    value: float
    each: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a target. `best`: 1 when more is better, -1 when less is; `moved`: beyond noise."""

    key: str
    title: str
    unit: str
    digits: int
    best: int
    value: Callable[[Record, TargetRecord], Measured | None]
    moved: Callable[[Point, Point], bool]
    noise: str  # in words: what counts as a move

    def status(self, old: Point, new: Point) -> str:
        """`kept` when NEW is better, else `missed`: as the report's style names the two colours."""
        return "kept" if (new.value - old.value) * self.best > 0 else "missed"


def series_of(figure: Figure, records: Sequence[Record], target: str) -> list[Series]:
    """Every series of `figure`, in the order in which it begins."""
    found: dict[tuple[object, ...], list[Point]] = {}
    labels: dict[tuple[object, ...], str] = {}
    for place, record in enumerate(records):
        for entry in record.targets:
            if entry.name == target and (measured := figure.value(record, entry)) is not None:
                found.setdefault(measured.kin, []).append(Point(place, measured.value, measured.each))
                labels[measured.kin] = measured.label
    return [Series(labels[kin], tuple(points)) for kin, points in found.items()]


def moves_of(figure: Figure, series: Series) -> Iterator[tuple[Point, Point]]:
    """Pairs of points between which the figure moved beyond noise, as near to each other as can be told.

    A point is held against the last one that moved, so that many small steps are found out, too.
    """
    if not series.points:
        return
    reference = previous = series.points[0]
    for point in series.points[1:]:
        if figure.moved(reference, point):
            yield (previous if figure.moved(previous, point) else reference), point
            reference = point
        previous = point


def _psnr(record: Record, target: TargetRecord) -> Measured | None:
    quality, pictures = target.quality, record.pictures
    if quality is None or not _plausible(quality.psnr_db) or pictures.sha256 is None:
        return None
    treatment = f", {pictures.treatment}" if pictures.treatment else ""
    label = f"{pictures.name} {pictures.sha256[:8]}{treatment}, {target.input}"
    kin = (pictures.sha256, pictures.treatment, target.input)
    return Measured(kin, label, quality.psnr_db, quality.psnr_each_db)


def _latency(record: Record, target: TargetRecord) -> Measured | None:
    latency, machine = target.latency, record.machine
    host = (machine.cpu, machine.cores, machine.platform)
    if latency is None or not _plausible(latency.p50_ms) or not latency.p50_ms > 0 or None in host:
        return None
    label = f"{latency.device}; {machine.cores} cores, {machine.platform}; {target.runtime}, {target.input}"
    return Measured((*host, latency.device, latency.threads, target.runtime, target.input), label, latency.p50_ms)


def _size(record: Record, target: TargetRecord) -> Measured | None:
    return Measured((), "", target.size_bytes / 1000)


def _plausible(figure: float) -> bool:
    """Whether it can be drawn; a record is a stranger's."""
    return isfinite(figure) and abs(figure) < LARGEST


def _psnr_moved(old: Point, new: Point) -> bool:
    if len(old.each) != len(new.each) or len(new.each) < 2:
        return abs(new.value - old.value) > Tolerances().quality_db
    differences = [after - before for before, after in zip(old.each, new.each, strict=True)]
    if not all(map(isfinite, differences)):
        return True
    standard_error = stdev(differences) / len(differences) ** 0.5
    return bool(abs(fmean(differences)) > max(MIN_MOVE_DB, MAX_ERRORS * standard_error))


def _slower_or_faster(old: Point, new: Point) -> bool:
    allowed = 1 + Tolerances().latency_percent / 100
    return not 1 / allowed <= new.value / old.value <= allowed


def _other_size(old: Point, new: Point) -> bool:
    return abs(new.value / old.value - 1) > SIZE_MOVE


FIGURES = (
    Figure(
        "psnr",
        "PSNR",
        "dB",
        2,
        1,
        _psnr,
        _psnr_moved,
        f"PSNR by more than {MIN_MOVE_DB:g} dB and {MAX_ERRORS:g} standard errors of the pictures' differences",
    ),
    Figure(
        "latency",
        "Median call",
        "ms",
        2,
        -1,
        _latency,
        _slower_or_faster,
        f"a call by more than {Tolerances().latency_percent:g} %, which is what two runs on one machine differ",
    ),
    Figure("size", "File", "kB", 0, -1, _size, _other_size, f"a file by more than {100 * SIZE_MOVE:g} %"),
)
