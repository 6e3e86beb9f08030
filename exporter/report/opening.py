"""What the page says first: which file to ship, how large, how fast, and what its pictures lose."""

from __future__ import annotations

from dataclasses import dataclass, field

from exporter.artifact import Format
from exporter.judge.outcome import Outcome
from exporter.judge.shipping import file_to_ship
from exporter.judge.verdicts import Status
from exporter.measure.advice import advise_targets
from exporter.measure.results import Latency, Quality, TargetResult
from exporter.not_measured import NotMeasured

_ABSENT = NotMeasured("no file was chosen")


@dataclass(frozen=True, slots=True)
class Shipped:
    """`file` is empty where there is none to ship; `picture`: height×width of what goes in; `remarks`: sentences."""

    title: str
    remarks: tuple[str, ...]
    file: str = ""
    picture: str = ""
    size_bytes: int = 0
    latency: Latency | NotMeasured = _ABSENT
    quality: Quality | NotMeasured = field(default=_ABSENT)


def shipped(outcome: Outcome) -> Shipped:
    """What to ship of `outcome`, or why nothing."""
    target = file_to_ship(outcome.targets, outcome.verdicts)
    if target is None:
        return Shipped("No file to ship", ("No target kept all that the recipe promises of it",))
    missed = outcome.tally.status is Status.MISSED
    given = target.artifact.input
    remarks = ("This file kept its own promises; the bundle did not keep all",) if missed else ()
    return Shipped(
        "Would be shipped" if missed else "Ship this file",
        (*remarks, *_advice(outcome, target), *_for_gpus(outcome, target)),
        target.artifact.path.name,
        f"{given.height}×{given.width} px",
        target.artifact.size_bytes,
        target.latency,
        target.quality,
    )


def _advice(outcome: Outcome, target: TargetResult) -> tuple[str, ...]:
    """Why this precision, in the report's own words."""
    if isinstance(target.latency, NotMeasured):
        return ()
    device = f"{target.latency.device}: "
    said = (each.removeprefix(device) for each in advise_targets(outcome.targets) if each.startswith(device))
    return tuple(sentence[:1].upper() + sentence[1:] for sentence in said)[:1]


def _for_gpus(outcome: Outcome, chosen: TargetResult) -> tuple[str, ...]:
    """The file for phones' GPUs, where the run has another one."""
    halves = [t for t in outcome.targets if (t.artifact.format, t.artifact.precision) == (Format.TFLITE, "fp16")]
    half = file_to_ship(halves, outcome.verdicts)
    return (f"For a phone’s GPU: {half.artifact.path.name}",) if half and half.name != chosen.name else ()
