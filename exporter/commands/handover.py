"""The end of an export: where the bundle lies, which of its files to ship first, and what to do next."""

from __future__ import annotations

from pathlib import Path

from exporter.bundle.models import shipped_models
from exporter.commands.quantities import size_in_words
from exporter.commands.words import show, show_command
from exporter.figures import fixed
from exporter.judge.outcome import Outcome
from exporter.judge.shipping import file_to_ship
from exporter.measure.results import TargetResult
from exporter.not_measured import NotMeasured


def show_handover(outcome: Outcome, bundle: Path, earlier: Path | None, removed: Path | None) -> None:
    """`earlier`, `removed`: other bundles of this name and version, one that stays and one that went."""
    show(f"bundle: {bundle}")
    if earlier is not None:
        show(f"        {earlier} is an earlier run's and was left as it is")
    if removed is not None:
        show(f"        {removed}, an earlier run's, was removed")
    show(f"report: {bundle / 'report' / 'index.html'}")
    target = file_to_ship(outcome.targets, outcome.verdicts)
    if target is None:
        show("ship:   nothing, no target kept all that the recipe promises of it")
    else:
        show_command(f"ship:   {(file := _file_of(outcome, target, bundle))}")
        show(f"        {_figures(target, file)}")
    show_command(f"next:   exporter verify {bundle}")
    show_command(f"        exporter serve {bundle}")
    if earlier is not None:
        show_command(f"        exporter diff {earlier} {bundle}")


def _file_of(outcome: Outcome, target: TargetResult, bundle: Path) -> Path:
    return next(bundle / model.file for model in shipped_models(outcome) if target in model.targets)


def _figures(target: TargetResult, file: Path) -> str:
    said = [size_in_words(file.stat().st_size)]
    if not isinstance(target.latency, NotMeasured):
        said.append(f"{target.latency.p50_ms:.1f} ms a call on {target.latency.device}")
    if not isinstance(target.quality, NotMeasured):
        said.append(f"pictures lose {fixed(target.quality.loss_db, 3)} dB to the float model")
    return ", ".join(said)
