"""What `exporter bench` says to a person of phones: figures, the conditions they were made under, what went wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from exporter.commands.bench_rows import Row, figures_of
from exporter.commands.words import show, show_table

if TYPE_CHECKING:
    from exporter.android.device import Conditions, Phone

FIGURES = (
    "file",
    "phone",
    "backend",
    "threads",
    "init ms",
    "p50 ms",
    "95 %",
    "p95 ms",
    "p99 ms",
    "MB",
    "took",
    "golden",
)
CONDITIONS = ("phone", "what it is", "throttling", "°C", "battery", "power", "governor", "GHz", "screen")
NONE = "–"


def show_rows(title: str, rows: Sequence[Row]) -> None:
    show_table(title, FIGURES, map(_cells, rows))
    for row in rows:
        for sentence in _sentences(row):
            show(f"  {row.name}: {sentence}")


def _cells(row: Row) -> tuple[str, ...]:
    figures = figures_of(row)
    golden, interval = figures["golden"] or {}, figures["p50_ci95_ms"]
    noisy = " noisy" * bool(figures["noise"])
    return (
        row.subject.name,
        row.phone,
        row.backend,
        str(row.threads),
        _fixed(figures["init_ms"]),
        _fixed(figures["p50_ms"]) + noisy,
        "{:.2f} to {:.2f}".format(*interval) if interval else NONE,
        _fixed(figures["p95_ms"]),
        _fixed(figures["p99_ms"]),
        _fixed(figures["memory_mb"], 1),
        f"{figures['accelerated_share']:.0%}" if figures["accelerated_share"] is not None else NONE,
        f"{golden['psnr_db']:.1f} dB" if golden else NONE,
    )


def _fixed(value: float | None, digits: int = 2) -> str:
    return NONE if value is None else f"{value:.{digits}f}"


def _sentences(row: Row) -> Iterator[str]:
    from exporter.android.runs import DeviceRun

    figures = figures_of(row)
    if isinstance(row.run, DeviceRun):
        if not row.reason:
            yield row.run.device
        if sustained := row.run.sustained_ms():
            yield f"first minute {sustained[0]:.2f} ms, last minute {sustained[1]:.2f} ms"
        if hot := row.run.throttled():
            yield f"throttling {hot}"
    if row.residency is not None and not row.residency.is_whole and not row.reason:
        yield f"the {row.residency.accelerator} took {row.residency.verdict}"
    yield from (f"noisy: {reason}" for reason in figures["noise"] or () if not reason.startswith("throttling"))
    if row.reason:
        yield f"not measured: {row.reason}"
    if row.parity:
        yield f"gives another picture: {row.parity}"
    if row.missed:
        yield f"missed {row.missed}"


def show_phones(found: Sequence[tuple[str, Phone | None, Sequence[Row], str]]) -> None:
    """What each phone is and was like, before → after, and in what they differ."""
    show_table("conditions, before the first run → after the last", CONDITIONS, map(_conditions, found))
    for serial, _, _, reason in found:
        if reason:
            show(f"  {serial} is not measured: {reason}")
    for sentence in unlike([(serial, moments[0]) for serial, _, rows, _ in found if (moments := _moments(rows))]):
        show(f"  times are not like for like: {sentence}")


def unlike(begun: Sequence[tuple[str, Conditions]]) -> Iterator[str]:
    """In what the phones' conditions differ from those of the first, a sentence each."""
    from exporter.android.device import BETWEEN_PHONES, differences

    for serial, conditions in begun[1:]:
        if found := differences(begun[0][1], conditions, BETWEEN_PHONES):
            yield f"{begun[0][0]} and {serial} have {', '.join(found)}"


def _moments(rows: Iterable[Row]) -> list[Conditions]:
    runs: list[Any] = [one for row in rows if (one := row.official or row.run) is not None and hasattr(one, "before")]
    return [runs[0].before, runs[-1].after] if runs else []


def _conditions(found: tuple[str, Phone | None, Sequence[Row], str]) -> tuple[str, ...]:
    from exporter.android.device import THERMAL_WORDS

    serial, phone, rows, _ = found
    what = str(phone) if phone else "not measured"
    moments = _moments(rows)
    if not moments:
        return (serial, what, *[NONE] * (len(CONDITIONS) - 2))
    return (
        serial,
        what,
        _change([THERMAL_WORDS[one.thermal_status] if one.thermal_status >= 0 else None for one in moments]),
        _change([one.battery_celsius for one in moments]),
        _change([None if one.battery_percent is None else f"{one.battery_percent} %" for one in moments]),
        _change([_power(one) for one in moments]),
        ", ".join(moments[0].cpu_governors) or NONE,
        f"{max(moments[0].cpu_max_khz) / 1e6:.2f}" if moments[0].cpu_max_khz else NONE,
        _change([None if one.screen_on is None else "on" if one.screen_on else "off" for one in moments]),
    )


def _power(conditions: Conditions) -> str:
    saved = "saved, " * conditions.power_save
    return saved + ("charging" if conditions.charging else "plugged in" if conditions.powered else "battery")


def _change(values: Sequence[object]) -> str:
    known = list(dict.fromkeys(NONE if value is None else str(value) for value in values))
    return " → ".join(known)
