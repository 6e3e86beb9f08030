"""What a sweep found: each export with its promises, and which exit code stands for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.bundle.report_file import Promise, read_report
from exporter.errors import EXIT_CODES
from exporter.figures import counted
from exporter.judge.verdicts import Status, Tally, tally
from exporter.sweep.run import ATTEMPTS, Ended

# The worst first. What failed says nothing of its promises; one that was missed is known to be, one that was not
# measured is not. The sweep ends with the first of these that any export ended with.
WORST_FIRST = (5, 4, 2, 1, 3, 0)


@dataclass(frozen=True, slots=True)
class Line:
    """One export in the summary. `promises`: () where there is no bundle; `problem`: why there is none."""

    ended: Ended
    promises: tuple[Promise, ...]

    @property
    def title(self) -> str:
        return self.ended.export.title

    @property
    def exit_code(self) -> int:
        return self.ended.record.exit_code

    @property
    def problem(self) -> str:
        return self.ended.record.said

    @property
    def bundle(self) -> Path | None:
        return Path(self.ended.record.bundle) if self.ended.record.bundle else None

    @property
    def tally(self) -> Tally:
        return tally(self.promises)

    @property
    def is_lost(self) -> bool:
        return len(self.ended.record.losses) >= ATTEMPTS

    @property
    def retried(self) -> str:
        """Of one that was lost and came through the second time: what was lost."""
        losses = self.ended.record.losses
        return f"tried twice: {losses[0]}" if losses and not self.is_lost else ""

    @property
    def headline(self) -> str:
        """In one line: the promises, or the first line of what went wrong."""
        return self.problem.partition("\n")[0] if self.bundle is None else self.tally.headline

    def as_json(self) -> dict[str, Any]:
        export, record = self.ended.export, self.ended.record
        return {
            "name": export.name,
            "recipe": str(export.recipe),
            "settings": dict(export.settings),
            "exit_code": record.exit_code,
            "headline": self.headline,
            "problem": self.problem or None,
            "counts": self.tally if self.bundle else None,
            "not_kept": [each.sentence for each in self.promises if each.status is not Status.KEPT],
            "bundle": self.bundle,
            "host": record.host,
            "seconds": record.seconds,
            "lost_workers": record.losses,
            "finished_earlier": self.ended.earlier,
        }


@dataclass(frozen=True, slots=True)
class Sweep:
    name: str
    workers: str
    lines: tuple[Line, ...]

    @property
    def exit_code(self) -> int:
        return min((line.exit_code for line in self.lines), key=WORST_FIRST.index, default=0)

    @property
    def sentence(self) -> str:
        """How many exports ended how, the worst first."""
        parts = []
        for code in WORST_FIRST:
            if number := sum(line.exit_code == code for line in self.lines):
                parts.append(f"{number} with exit code {code}, {EXIT_CODES[code]}")
        return f"{counted(len(self.lines), 'export')}: {'; '.join(parts)}"

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "on": self.workers, "exit_code": self.exit_code, "exports": self.lines}


def sweep_of(name: str, workers: str, ended: Sequence[Ended], order: Sequence[str]) -> Sweep:
    """`ended` with what their bundles say, in the `order` of names. Raises BundleError for a damaged bundle."""
    by_name = {each.export.name: each for each in ended}
    return Sweep(name, workers, tuple(_line(by_name[each]) for each in order))


def _line(ended: Ended) -> Line:
    return Line(ended, read_report(Path(ended.record.bundle)).promises if ended.record.bundle else ())
