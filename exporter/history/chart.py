"""Where things stand in a chart, in px; page.html draws it as inline SVG. The same figures give the same chart."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exporter.figures import fixed
from exporter.history.series import Figure, Point, Series, moves_of

WIDTH, HEIGHT = 360, 200  # a phone's width
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 32, 30
MARK_SPACE, SMALLEST_MARK = 9.0, 0.35  # px from mark to mark that full size takes
LEAST_SPAN = 0.2  # dB
KINDS = 5  # marks that differ in colour and shape; with more series they come again
_LETTER = 7.4  # of an average letter, px


@dataclass(frozen=True, slots=True)
class Mark:
    """A release's figure; `says`: the same in words."""

    x: float
    y: float
    says: str


@dataclass(frozen=True, slots=True)
class Drawn:
    """A series: marks of one kind, joined by a line where there are several."""

    label: str
    kind: int
    marks: tuple[Mark, ...]

    @property
    def line(self) -> str:
        return " ".join(f"{mark.x:g},{mark.y:g}" for mark in self.marks)


@dataclass(frozen=True, slots=True)
class Text:
    """`status`, `says`: of a move alone."""

    x: float
    y: float
    text: str
    anchor: str
    status: str = ""  # of its figure
    says: str = ""  # between which releases and commits


@dataclass(frozen=True, slots=True)
class Chart:
    """`mark`: how large marks are, 1 at most, so that those of many releases do not become a bar."""

    title: str
    summary: str
    series: tuple[Drawn, ...]
    ticks: tuple[Text, ...]
    versions: tuple[Text, ...]
    moves: tuple[Text, ...]
    mark: float


def chart_of(figure: Figure, series: Sequence[Series], versions: Sequence[str], commits: Sequence[str]) -> Chart:
    """`versions`, `commits`: of all releases, also those that have no such figure; a commit may be empty."""
    names = [
        f"{version} (commit {commit})" if commit else version for version, commit in zip(versions, commits, strict=True)
    ]
    values = [point.value for each in series for point in each.points]
    steps = _steps(*_range(figure, min(values), max(values)))
    place = _Places(len(versions), steps)
    moves = [(old, new) for each in series for old, new in moves_of(figure, each)]
    drawn = tuple(
        Drawn(each.label, number % KINDS, tuple(_mark(point, place, figure, versions) for point in each.points))
        for number, each in enumerate(series)
    )
    digits = max(0, -math.floor(math.log10(steps[1] - steps[0]) + 1e-9))
    return Chart(
        title=f"{figure.title}, {figure.unit}",
        summary=_summary(figure, series, versions),
        series=drawn,
        ticks=tuple(Text(LEFT - 8, round(place.y(step), 1), fixed(step, digits), "end") for step in steps),
        versions=tuple(_versions(versions, place, {new.release for _, new in moves})),
        moves=tuple(_move(old, new, place, figure, names) for old, new in moves),
        mark=round(min(1.0, max(SMALLEST_MARK, (place.x(1) - place.x(0)) / MARK_SPACE)), 2)
        if len(versions) > 1
        else 1.0,
    )


class _Places:
    def __init__(self, releases: int, steps: Sequence[float]) -> None:
        self._releases, self._low, self._high = releases, steps[0], steps[-1]

    def x(self, release: int) -> float:
        share = release / (self._releases - 1) if self._releases > 1 else 0.5
        return LEFT + 8 + share * (WIDTH - LEFT - RIGHT - 16)

    def y(self, value: float) -> float:
        return TOP + (self._high - value) / (self._high - self._low) * (HEIGHT - TOP - BOTTOM)


def _range(figure: Figure, low: float, high: float) -> tuple[float, float]:
    """From zero where that is the best there could be; else wide enough that noise looks like noise."""
    if figure.best < 0:
        return min(low, 0.0), high
    lacking = max(0.0, LEAST_SPAN - (high - low)) / 2
    return low - lacking, high + lacking


def _steps(low: float, high: float) -> list[float]:
    """Three to six round values around all figures."""
    span = max(high - low, 1e-6)
    size = 10.0 ** math.floor(math.log10(span / 3))
    size *= next(factor for factor in (1, 2, 5, 10) if span / (factor * size) <= 4)
    first, last = math.floor(low / size + 1e-9), math.ceil(high / size - 1e-9)
    return [round(step * size, 12) for step in range(first, max(last, first + 1) + 1)]


def _mark(point: Point, place: _Places, figure: Figure, versions: Sequence[str]) -> Mark:
    says = f"{versions[point.release]}: {fixed(point.value, figure.digits)} {figure.unit}"
    return Mark(round(place.x(point.release), 1), round(place.y(point.value), 1), says)


def _move(old: Point, new: Point, place: _Places, figure: Figure, names: Sequence[str]) -> Text:
    x = place.x(new.release)
    anchor = "end" if x > WIDTH - RIGHT - 40 else "start" if x < LEFT + 40 else "middle"
    y = place.y(new.value)
    says = f"{names[old.release]} → {names[new.release]}"
    return Text(round(x, 1), round(y, 1), difference(old, new, figure), anchor, figure.status(old, new), says)


def difference(old: Point, new: Point, figure: Figure) -> str:
    """How far a figure moved: in dB, else in per cent."""
    if figure.unit == "dB":
        return fixed(new.value - old.value, figure.digits, sign=True).replace("-", "\u2212")
    return f"{fixed((new.value / old.value - 1) * 100, 0, sign=True)} %".replace("-", "\u2212")


def _versions(versions: Sequence[str], place: _Places, moved: set[int]) -> Iterator[Text]:
    """First, last and moved releases, as far as their names do not meet."""
    last = len(versions) - 1
    taken: list[tuple[float, float]] = []
    for release in dict.fromkeys((last, 0, *sorted(moved, reverse=True))):
        text = versions[release] if len(versions[release]) <= 18 else f"{versions[release][:17]}…"
        x, width = place.x(release), len(text) * _LETTER
        anchor = "middle" if last == 0 else "end" if release == last else "start" if release == 0 else "middle"
        left = x - {"start": 0, "middle": width / 2, "end": width}[anchor]
        if all(left > end + 8 or left + width < start - 8 for start, end in taken):
            taken.append((left, left + width))
            yield Text(round(x, 1), HEIGHT - 8, text, anchor)


def _summary(figure: Figure, series: Sequence[Series], versions: Sequence[str]) -> str:
    """The chart for who cannot see it."""
    lines = []
    for each in series:
        first, last = each.points[0], each.points[-1]
        ends = f"{fixed(first.value, figure.digits)} {figure.unit} in {versions[first.release]}"
        if len(each.points) > 1:
            ends += f", {fixed(last.value, figure.digits)} {figure.unit} in {versions[last.release]}"
        lines.append(f"{each.label}: {ends}" if each.label else ends)
    return f"{figure.title}. {'; '.join(lines)}"
