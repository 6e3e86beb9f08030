"""The table at the end of an export: one line per target, then one sentence per promise not kept."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from exporter.commands.words import show, show_table
from exporter.console import width_of
from exporter.figures import counted, fixed
from exporter.judge.outcome import Outcome
from exporter.judge.verdicts import Status, Verdict, tally
from exporter.measure.clipping import clipping_warnings
from exporter.measure.latency import noise_remarks
from exporter.measure.overshoot import overshoot_remarks
from exporter.measure.results import TargetResult
from exporter.not_measured import NotMeasured

WIDE = 100  # characters that hold every column, with the longest names


def show_summary(outcome: Outcome) -> None:
    columns = ("target", "runtime", "parity worst dB", "gain dB", "lost dB", "p50 ms", "kB", "promises")
    rows = [columns, *(_row(outcome, target) for target in outcome.targets)]
    if (width_of(sys.stdout) or WIDE) < WIDE:  # figures before names
        rows = [(name, *figures) for name, _, *figures in rows]
    show_table("", rows[0], rows[1:])
    for verdict in outcome.verdicts:
        if verdict.status is Status.MISSED or (verdict.status is Status.NOT_MEASURED and verdict.demanded):
            show(f"  {verdict.status}: {verdict.sentence}")
    for line in _excused(outcome.verdicts):
        show(f"  {line}")
    for stage in outcome.stages:
        if isinstance(stage.quality, NotMeasured):
            show(f"  not measured: {stage.name} on {stage.runtime}: {stage.quality.reason}")
    for warning in clipping_warnings(outcome.targets):
        show(f"  warning: {warning}")
    for remark in (*overshoot_remarks(outcome.targets), *noise_remarks(outcome.targets)):
        show(f"  note: {remark}")


def _excused(verdicts: Iterable[Verdict]) -> Iterator[str]:
    """What was not measured and need not be, an engine a line, with what would make it measured."""
    found: dict[tuple[str, str], int] = {}
    for verdict in verdicts:
        if verdict.status is Status.NOT_MEASURED and not verdict.demanded:
            reason = verdict.sentence.partition(" was not measured: ")[2] or verdict.sentence
            found[verdict.runtime, reason] = found.get((verdict.runtime, reason), 0) + 1
    for (runtime, reason), number in found.items():
        yield f"not measured: {counted(number, 'promise')} on {runtime}: {reason}"


def _row(outcome: Outcome, target: TargetResult) -> tuple[str, ...]:
    parity, quality, latency = target.parity, target.quality, target.latency
    return (
        target.name,
        target.runtime,
        "not measured" if isinstance(parity, NotMeasured) else fixed(parity.worst_psnr_db, 1),
        "not measured" if isinstance(quality, NotMeasured) else fixed(quality.gain_db, 2, sign=True),
        "not measured" if isinstance(quality, NotMeasured) else fixed(quality.loss_db, 3),
        "not measured" if isinstance(latency, NotMeasured) else f"{latency.p50_ms:.2f}{' noisy' * bool(latency.noise)}",
        f"{target.artifact.size_bytes / 1e3:.0f}",
        tally(verdict for verdict in outcome.verdicts if verdict.target == target.name).count,
    )
